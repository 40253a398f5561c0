"""Runner: Beam's options, memory given back, interrupts and failing engines."""

import signal
import sys
import types

import apache_beam as beam
import pytest
from apache_beam.options import pipeline_options
from apache_beam.runners.portability.fn_api_runner import fn_runner

from pipeline.beam import runner as runner_lib
from runtime import errors


def view(options, kind):
    return options.view_as(getattr(pipeline_options, kind))


def test_this_machine_is_used_when_no_runner_is_named():
    options = runner_lib.Runner(num_workers=3).options()
    assert view(options, "StandardOptions").runner == "FnApiRunner"
    assert view(options, "DirectOptions").direct_num_workers == 3
    assert view(options, "DirectOptions").direct_running_mode == "multi_processing"


def test_beam_imports_no_notebook_to_learn_that_there_is_none(monkeypatch):
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    with runner_lib.Runner(num_workers=1).pipeline(reads_bytes=0) as pipeline:
        pipeline | beam.Create([1])
    assert "IPython" not in sys.modules


def test_beam_does_not_find_the_notebook_that_runs_the_job_and_the_notebook_stays(monkeypatch):
    notebook = types.ModuleType("IPython")
    notebook.get_ipython = lambda: pytest.fail("Beam asks the notebook")
    monkeypatch.setitem(sys.modules, "IPython", notebook)
    with runner_lib.Runner(num_workers=1).pipeline(reads_bytes=0) as pipeline:
        pipeline | beam.Create([1])
    assert sys.modules["IPython"] is notebook


def test_worker_processes_here_start_as_those_of_an_engine_do(monkeypatch):
    started = []
    monkeypatch.setattr(
        fn_runner.FnApiRunner,
        "run_via_runner_api",
        lambda _, proto, options: started.append(proto) or Finished(),
    )
    with runner_lib.Runner(num_workers=2).pipeline() as pipeline:
        pipeline | beam.Create([1])
    commands = {e.payload.decode() for e in started[0].components.environments.values()}
    assert commands == {
        f"{sys.executable} -c 'from pipeline import worker; worker.work_when_told()'"
    }


class Finished:
    """The result of a pipeline that is done."""

    def wait_until_finish(self):
        pass


def test_flags_for_an_engine_reach_beam_untouched():
    options = runner_lib.Runner(
        num_workers=0, beam_args=["--runner=FlinkRunner", "--parallelism=7"]
    ).options()
    assert view(options, "StandardOptions").runner == "FlinkRunner"
    assert view(options, "FlinkRunnerOptions").parallelism == 7
    assert view(options, "WorkerOptions").num_workers is None


def test_the_number_of_workers_is_an_engines_too():
    options = runner_lib.Runner(num_workers=12, beam_args=["--runner=DataflowRunner"]).options()
    assert view(options, "WorkerOptions").num_workers == 12


@pytest.mark.parametrize(
    ("table_bytes", "runner"), [(64 << 20, "FnApiRunner"), ((64 << 20) + 1, "FlinkRunner")]
)
def test_an_engine_is_not_asked_to_read_a_small_table(table_bytes, runner):
    options = runner_lib.Runner(num_workers=0, beam_args=["--runner=FlinkRunner"]).options(
        table_bytes
    )
    assert view(options, "StandardOptions").runner == runner


class Result:
    """A pipeline that is interrupted while it is waited for."""

    cancelled = False

    def wait_until_finish(self):
        self.handler = signal.getsignal(signal.SIGINT)
        raise KeyboardInterrupt

    def cancel(self):
        self.cancelled = True


def test_an_interrupt_cancels_the_pipeline_before_a_job_server_stops_itself():
    def stops_itself(*_: object) -> None:
        raise AssertionError

    before, result = signal.signal(signal.SIGINT, stops_itself), Result()
    try:
        with pytest.raises(KeyboardInterrupt):
            runner_lib.wait(result)
        assert result.cancelled
        assert result.handler is signal.default_int_handler
        assert signal.getsignal(signal.SIGINT) is stops_itself
    finally:
        signal.signal(signal.SIGINT, before)


def fails(element):
    raise ValueError(f"cannot work on {element}")


def test_a_defect_on_this_machine_keeps_its_traceback():
    with (
        pytest.raises(ValueError, match="cannot work on 5"),
        runner_lib.Runner(num_workers=1).pipeline(reads_bytes=1) as pipeline,
    ):
        pipeline | beam.Create([5]) | beam.Map(fails)


def test_an_engine_that_gives_up_is_a_refusal_with_its_first_line(monkeypatch):
    def gives_up(_: object) -> None:
        raise RuntimeError("\n Pipeline 7 failed in state FAILED: no slots\n at Scheduler.java:12")

    monkeypatch.setattr(runner_lib, "wait", gives_up)
    runner = runner_lib.Runner(num_workers=1, beam_args=["--runner=FnApiRunner"])
    with pytest.raises(errors.UserError) as refused, runner.pipeline(reads_bytes=1) as pipeline:
        pipeline | beam.Create([5])
    assert str(refused.value) == (
        "the engine gave up: Pipeline 7 failed in state FAILED: no slots; finished shards are "
        "kept, the same command continues, and docs/scaling.md says where engines log"
    )
