"""Beam worker program for machines without containers (--environment_type=PROCESS).

Engines call python -m pipeline.worker with the arguments that they would give to the container's
boot program; it asks the engine for the pipeline's options and becomes Beam's own worker. The
container's boot program also installs packages that a pipeline brings along; here they are
installed beforehand (install_requires in setup.py), so that starting a worker needs no network.
"""

import argparse
import json
import os
import sys

import grpc
from google.protobuf import json_format, text_format

from runtime import installation, signals

with installation.hidden("boto3", "pandas", "pymongo"):
    from apache_beam.portability.api import (
        beam_provision_api_pb2,
        beam_provision_api_pb2_grpc,
        endpoints_pb2,
    )
    from apache_beam.runners.worker import sdk_worker_main

TIMEOUT_SECONDS = 60


def provision(worker_id: str, endpoint: str) -> beam_provision_api_pb2.ProvisionInfo:
    """Ask the engine what the worker is for."""
    with grpc.insecure_channel(endpoint) as channel:
        service = beam_provision_api_pb2_grpc.ProvisionServiceStub(channel)
        request = beam_provision_api_pb2.GetProvisionInfoRequest()
        return service.GetProvisionInfo(
            request, metadata=[("worker_id", worker_id)], timeout=TIMEOUT_SECONDS
        ).info


def environment(
    worker_id: str,
    info: beam_provision_api_pb2.ProvisionInfo,
    *,
    logging: str = "",
    control: str = "",
) -> dict[str, str]:
    """Return the variables that Beam's worker reads.

    They are those of create_harness in apache_beam/runners/worker/sdk_worker_main.py.

    Args:
      worker_id: name that the engine gave to the worker.
      info: what the engine said.
      logging: address for log entries, where `info` names none.
      control: address of the work, where `info` names none.
    """
    return {
        "WORKER_ID": worker_id,
        "PIPELINE_OPTIONS": json_format.MessageToJson(info.pipeline_options),
        "RUNNER_CAPABILITIES": " ".join(info.runner_capabilities),
        "LOGGING_API_SERVICE_DESCRIPTOR": _descriptor(info.logging_endpoint.url or logging),
        "CONTROL_API_SERVICE_DESCRIPTOR": _descriptor(info.control_endpoint.url or control),
    }


def _descriptor(url: str) -> str:
    return text_format.MessageToString(endpoints_pb2.ApiServiceDescriptor(url=url))


def work() -> None:
    """Be Beam's worker, as the environment variables say, until there is no more work.

    In this process: another would import Beam once more.
    """
    signals.end_with_starter()
    sdk_worker_main.main(None)


def work_when_told() -> None:
    """Import what a build's worker needs, and wait for its variables: JSON on standard input.

    It ends at once where there are none: who started it has ended, or has no work.
    """
    signals.end_with_starter()
    # Inside: workers of an engine import it with the pipeline, after they have said they are there.
    from pipeline.beam import assign_tasks, write_shards  # noqa: F401

    if told := sys.stdin.buffer.read():
        os.environ |= json.loads(told)
        sdk_worker_main.main(None)


def main() -> None:
    """Become the worker that an engine asked for.

    argparse, not `runtime.flags`: that needs absl, and workers are kept to install_requires.
    """
    parser = argparse.ArgumentParser(prog="pipeline.worker", description=__doc__.splitlines()[0])
    parser.add_argument("--id", required=True, help="name that the engine gave to this worker")
    parser.add_argument(
        "--provision_endpoint",
        required=True,
        help="address from which the worker gets the pipeline's options",
    )
    parser.add_argument(
        "--logging_endpoint", default="", help="address for log entries; default: the provision's"
    )
    parser.add_argument(
        "--control_endpoint", default="", help="address of the work; default: the provision's"
    )
    # Engines give arguments that only the container's boot program needs.
    given, _ = parser.parse_known_args()
    info = provision(given.id, given.provision_endpoint)
    os.environ |= environment(
        given.id, info, logging=given.logging_endpoint, control=given.control_endpoint
    )
    work()


if __name__ == "__main__":
    main()
