"""Pytest plugin that fails a skipped test under CI=true, unless its mark says that CI may skip it.

Owns the rule alone, so that a test can load it into a pytest of its own. A list of the tests that
may skip was rejected: whoever adds a skip would extend it too.
"""

import os

import pytest

MESSAGE = "skipped, which CI does not allow"
MAY_SKIP = ("gpu", "torch")
"""Marks of tests that need what CI has not: a GPU; packages of gigabytes."""


def _is_ci() -> bool:
    return os.environ.get("CI") == "true"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Fail a test that skips in its set-up, a fixture or its body."""
    outcome = yield
    report = outcome.get_result()
    # An expected failure is reported as a skip too.
    is_marked = any(item.get_closest_marker(mark) for mark in MAY_SKIP)
    is_allowed = is_marked or hasattr(report, "wasxfail")
    if _is_ci() and report.skipped and not is_allowed:
        report.outcome = "failed"
        report.longrepr = f"{MESSAGE}: {call.excinfo.value}"


@pytest.hookimpl(hookwrapper=True)
def pytest_make_collect_report(collector):
    """Fail a module that skips while it is imported, such as by importorskip."""
    outcome = yield
    report = outcome.get_result()
    if _is_ci() and report.outcome == "skipped":
        report.outcome = "failed"
        report.longrepr = f"{MESSAGE}: {collector.nodeid}: {report.longrepr[-1]}"
