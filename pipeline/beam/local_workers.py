"""Local workers: Beam's worker processes on this machine; one that dies ends the build.

Owns starting them, noticing their deaths and errors, and ending the others. Beam's own handler
(SubprocessSdkWorkerHandler) was rejected: it waits for ever for the answer of a worker that was
killed, and for the last answer of the others when one has failed.
"""

import contextlib
import shlex
import signal
import sys
import threading
from typing import Any

import grpc
from apache_beam.options import pipeline_options
from apache_beam.portability import python_urns
from apache_beam.portability.api import (
    beam_fn_api_pb2,
    beam_fn_api_pb2_grpc,
    beam_runner_api_pb2,
    endpoints_pb2,
)
from apache_beam.runners.portability import local_job_service
from apache_beam.runners.portability.fn_api_runner import fn_runner, worker_handlers
from apache_beam.utils import thread_pool_executor
from google.protobuf import json_format, text_format

from pipeline.beam import worker_processes
from runtime import errors

STOP_S = 10
"""Seconds that a worker has to end by itself, after the last answer."""

_STOPPED = "the build was stopped"

_BY_SOMEBODY = ("SIGKILL", "SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT")
"""Signals that somebody sends, the system included; others come from a defect of the program. By
name: Windows has two of them."""


class LocalRunner(fn_runner.FnApiRunner):
    """Beam's runner on this machine, whose worker processes are watched."""

    def __init__(self, ahead: worker_processes.Ahead | None = None) -> None:
        """Take the processes that were started ahead; None: start all when there is work."""
        super().__init__()
        self._ahead = ahead or worker_processes.Ahead()

    def run_via_runner_api(
        self,
        pipeline_proto: beam_runner_api_pb2.Pipeline,
        options: pipeline_options.PipelineOptions,
    ) -> fn_runner.RunnerResult:
        """Run a pipeline.

        Raises:
          errors.UserError: if a worker process was killed.
          RuntimeError: if one ended by a defect, or raised an error.
        """
        command = shlex.join(worker_processes.COMMAND)
        for environment in pipeline_proto.components.environments.values():
            if environment.urn == python_urns.SUBPROCESS_SDK:
                environment.payload = command.encode()
        pool = WorkerPool(self._ahead)
        worker_handlers.WorkerHandler.register_environment(python_urns.SUBPROCESS_SDK, bytes)(
            pool.add
        )
        try:
            return super().run_via_runner_api(pipeline_proto, options)
        except BaseException as error:
            # Ctrl-C too: a worker that waits for the driver would keep the driver from its end.
            pool.fail(_STOPPED)
            if pool.death:
                raise pool.death from error
            raise


class WorkerPool:
    """The worker processes of one pipeline.

    Attributes:
      failure: why they were ended; "" while they work.
      death: the error that the death of one of them is; None while all live.
    """

    def __init__(self, ahead: worker_processes.Ahead | None = None) -> None:
        """Start with no worker; take processes that were started ahead, while there are any."""
        self.ahead = ahead or worker_processes.Ahead()
        self.workers: list[Worker] = []
        self.failure = ""
        self.death: Exception | None = None
        self._lock = threading.Lock()

    def add(self, command: bytes, *arguments: Any) -> "Worker":
        """Return a further worker, as Beam's registry of handlers asks for it.

        The command that Beam gives back is the one that every worker process runs.
        """
        self.workers.append(Worker(self, *arguments))
        return self.workers[-1]

    def fail(self, reason: str, *, death: Exception | None = None) -> None:
        """End all workers, and answer with an error what they were asked; the first reason stays.

        Args:
          reason: text of the error.
          death: the error to raise, if the reason is a death.
        """
        with self._lock:
            if self.failure:
                return
            self.failure, self.death = reason, death
        for worker in self.workers:
            worker.kill()
            worker.connection.answer_all(reason)

    def lost(self, worker: "Worker", *, exit_code: int) -> None:
        """Fail because a worker has ended that was not asked to."""
        number = self.workers.index(worker) + 1
        who = f"worker {number} of {len(self.workers)} (process {worker.process.popen.pid})"
        name = signal.Signals(-exit_code).name if exit_code < 0 else None
        if name in _BY_SOMEBODY:
            likely = (
                ", most likely because memory ran out (a smaller --num_workers takes less)"
                if name == "SIGKILL"
                else ""
            )
            death: Exception = errors.UserError(
                f"{who} was killed by {name}{likely}; finished shards are kept, and the same "
                "command continues"
            )
        else:
            how = name or f"exit code {exit_code}"
            death = RuntimeError(f"{who} ended with {how}:\n{worker.process.stderr_tail()}")
        self.fail(str(death), death=death)


class Connection(worker_handlers.ControlConnection):
    """What the driver asks of one worker: an error as the answer ends the work of all."""

    def __init__(self, pool: WorkerPool) -> None:
        """Ask nothing yet."""
        super().__init__()
        self._pool = pool

    def push(self, request: Any) -> Any:
        """Ask the worker; the future has the error already where the workers were ended."""
        future = super().push(request)
        if self._pool.failure:
            self.answer_all(self._pool.failure)
        return future

    def answer_all(self, error: str) -> None:
        """Answer everything that was asked with an error."""
        for name, future in list(self._futures_by_id.items()):
            future.set(beam_fn_api_pb2.InstructionResponse(instruction_id=name, error=error))

    def _read(self) -> None:
        with contextlib.suppress(grpc.RpcError):  # The process is gone, and its watch says why.
            for answer in self._input or ():
                self._futures_by_id.pop(answer.instruction_id).set(answer)
                if answer.error:
                    self._pool.fail(answer.error)


class Worker(worker_handlers.GrpcWorkerHandler):
    """A worker process and the driver's connections to it."""

    process: worker_processes.Process

    def __init__(self, pool: WorkerPool, state: Any, provision_info: Any, grpc_server: Any) -> None:
        """Take what Beam's handlers take; start nothing."""
        super().__init__(state, provision_info, grpc_server)
        self._pool = pool
        self._is_ending = False
        self._watch = threading.Thread(target=self._wait, name="watch_worker", daemon=True)
        self.connection = self.control_conn = Connection(pool)
        grpc_server.control_handler._connections_by_worker_id[self.worker_id] = self.connection

    def start_worker(self) -> None:
        """Have a process begin, and a thread wait for its end."""
        self._log_server = grpc.server(thread_pool_executor.shared_unbounded_instance())
        port = self._log_server.add_insecure_port("localhost:0")
        beam_fn_api_pb2_grpc.add_BeamFnLoggingServicer_to_server(
            local_job_service.BeamFnLoggingServicer(), self._log_server
        )
        self._log_server.start()
        self.process = self._pool.ahead.take()
        self.process.tell(self._variables(f"localhost:{port}"))
        self._watch.start()
        if self._pool.failure:  # Another died while this one was started.
            self.kill()

    def _variables(self, log_address: str) -> dict[str, str]:
        """Return the variables that Beam's worker reads (sdk_worker_main.create_harness)."""
        addresses = {
            "CONTROL_API_SERVICE_DESCRIPTOR": self.control_address,
            "LOGGING_API_SERVICE_DESCRIPTOR": log_address,
        }
        return {
            "WORKER_ID": self.worker_id,
            "PIPELINE_OPTIONS": json_format.MessageToJson(
                self.provision_info.provision_info.pipeline_options
            ),
            **{
                name: text_format.MessageToString(endpoints_pb2.ApiServiceDescriptor(url=url))
                for name, url in addresses.items()
            },
        }

    def _wait(self) -> None:
        exit_code = self.process.popen.wait()
        if not self._is_ending:
            self._pool.lost(self, exit_code=exit_code)

    def kill(self) -> None:
        """End the process at once, if it was started."""
        self._is_ending = True
        if self._watch.ident:
            self.process.popen.kill()

    def close(self) -> None:
        """Let the process end, or only forget it where it was ended."""
        self._is_ending = True
        if sys.exc_info()[0]:  # Beam closes what is left after an error, or Ctrl-C.
            self._pool.fail(_STOPPED)
        if not self._pool.failure:
            super().close()
            return
        self.connection.push(worker_handlers.BeamFnControlServicer._DONE_MARKER)
        self.stop_worker()

    def stop_worker(self) -> None:
        """Wait for the end of the process, which is killed if it takes too long."""
        if not self._watch.ident:
            return
        self._watch.join(STOP_S)
        if self._watch.is_alive():
            self.kill()
            self._watch.join()
        self._log_server.stop(0)
        self.process.close()
