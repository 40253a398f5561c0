"""Fixtures of all tests, and the rule that nothing but a GPU may be missing in CI."""

import os

import pytest

from tests.browser import chromium

__all__ = ["chromium"]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Turn a skip into a failure under CI=true: there Java, Maven, a browser and the shared data are
    to be had, and a test that quietly stopped running would be missed by nobody."""
    outcome = yield
    report = outcome.get_result()
    may_skip = item.get_closest_marker("gpu") or hasattr(report, "wasxfail")
    if report.skipped and os.environ.get("CI") == "true" and not may_skip:
        report.outcome = "failed"
        report.longrepr = f"skipped, which CI does not allow: {call.excinfo.value}"
