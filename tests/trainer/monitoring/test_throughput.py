import types

from trainer.monitoring import throughput


def summary(seconds):
    budget = throughput.TimeBudget()
    assert seconds.keys() <= budget.seconds.keys()
    budget.seconds |= seconds
    return budget.summary()


def test_waiting_for_a_fifth_of_the_steps_time_is_being_limited_by_the_input():
    assert summary({"steps": 79.0, "waiting for input": 21.0}).startswith(
        "limited by the input: devices waited for images; "
    )
    assert summary({"steps": 81.0, "waiting for input": 19.0}) == (
        "limited by computation on the devices (steps 81 %, waiting for input 19 %, "
        "start-up and compilation 0 %, evaluation 0 %, checkpoints 0 %)"
    )


def test_a_run_that_mostly_did_something_else_says_so():
    seconds = {"steps": 10.0, "start-up and compilation": 30.0, "evaluation": 10.0}
    assert summary(seconds).startswith("limited by activities other than training (steps 20 %")


def test_an_epoch_lasts_from_its_start_whatever_the_speed_leaves_out(monkeypatch):
    clock = iter([10.0, 10.0, 14.0, 15.0])
    monkeypatch.setattr(throughput, "time", types.SimpleNamespace(perf_counter=lambda: next(clock)))
    timer = throughput.EpochTimer()
    timer.restart()
    assert timer.total_s == 5


def test_time_is_counted_where_it_is_spent(monkeypatch):
    clock = iter([10.0, 12.5])
    monkeypatch.setattr(throughput, "time", types.SimpleNamespace(perf_counter=lambda: next(clock)))
    budget = throughput.TimeBudget()
    with budget.spent("checkpoints"):
        pass
    assert budget.seconds["checkpoints"] == 2.5 and budget.seconds["steps"] == 0
