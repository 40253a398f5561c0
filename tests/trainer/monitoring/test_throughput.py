import types

from trainer.monitoring import throughput


def verdict(**seconds):
    ledger = throughput.TimeBudget()
    ledger.seconds |= seconds
    return ledger.verdict()


def test_waiting_for_a_fifth_of_the_steps_time_is_being_limited_by_the_input():
    assert verdict(**{"steps": 79.0, "waiting for input": 21.0}).startswith(
        "limited by the input: devices waited"
    )
    shares = "(steps 81 %, waiting for input 19 %, starting 0 %, judging 0 %, saving 0 %)"
    assert (
        verdict(**{"steps": 81.0, "waiting for input": 19.0})
        == f"limited by computation on the devices {shares}"
    )


def test_a_run_that_mostly_did_something_else_says_so():
    assert verdict(steps=10.0, starting=30.0, judging=10.0).startswith(
        "limited by what comes besides training (steps 20 %"
    )


def test_time_is_counted_where_it_is_spent(monkeypatch):
    clock = iter([10.0, 12.5])
    monkeypatch.setattr(throughput, "time", types.SimpleNamespace(perf_counter=lambda: next(clock)))
    ledger = throughput.TimeBudget()
    with ledger.spent("saving"):
        pass
    assert ledger.seconds["saving"] == 2.5 and ledger.seconds["steps"] == 0
