"""Fixtures of all tests, and the order in which the processes of pytest -n take the files."""

from pathlib import Path

import pytest

from tests.browser import chromium

__all__ = ["chromium"]

pytest_plugins = ["tests.no_silent_skips"]

TESTS = Path(__file__).parent

LONGEST = [
    "pipeline/files/test_object_store_builds.py",
    "trainer/training/test_trainer.py",
    "trainer/test_hosts.py",
    "trainer/training/test_replicas.py",
    "trainer/test_flags.py",
    "test_docs_session.py",
    "trainer/test_main.py",
    "trainer/training/test_pretrained.py",
    "pipeline/beam/test_flink.py",
    "trainer/test_sweep.py",
    "test_notebook.py",
    "pipeline/beam/test_spark.py",
    "trainer/training/test_replicas_models.py",
    "pipeline/test_faults.py",
    "pipeline/test_settings_that_decide_bytes.py",
    "trainer/reports/test_pages.py",
    "trainer/exporting/test_formats.py",
    "trainer/models/test_dtype_policy.py",
    "trainer/test_app.py",
    "trainer/models/test_architectures.py",
    "trainer/test_export.py",
    "pipeline/test_main.py",
]
"""Files that take longest, first: a process that takes one of them last would work on alone.

Not test_hosts, test_flink and test_spark together: each starts several processes of its own.
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first; --dist=loadfile hands out whole files in this order."""
    order = {TESTS / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path, len(order)))
