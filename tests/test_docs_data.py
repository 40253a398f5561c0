"""docs/data.md: its commands are understood, and it leaves out no layout and no flag."""

import re
import shlex
from pathlib import Path

import pytest

from pipeline import config
from pipeline.sources import label_names
from pipeline.sources.layouts import affectnet_2017, affectnet_plus, csv_columns, registry

TEXT = (Path(__file__).parent.parent / "docs" / "data.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^\$ python -m pipeline\.main (.*)$", TEXT, re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_flags_of_every_command_are_understood(command):
    given = dict(word.removeprefix("--").split("=", 1) for word in shlex.split(command))
    job = config.JobConfig(data_dir="out", **given)
    assert label_names.parse_labels(job.labels)
    if job.columns:
        found = csv_columns.resolve(job.columns, first=[""] * 12, where="a list")
        assert found.of("path") == (0,) and found.of("label")


def test_the_commands_are_there():
    assert len(COMMANDS) == 4


def test_every_layout_and_every_flag_for_them_is_shown():
    for layout in registry.LAYOUTS:
        assert f"| [{layout}](#" in TEXT
    for flag in registry.FLAGS:
        assert f"--{flag}" in TEXT


def test_the_expected_counts_are_those_that_the_job_prints():
    modules = [getattr(module, "EXPECTED", {}) for module in registry.LAYOUTS.values()]
    counts = {count for module in modules for numbers in module.values() for count in numbers}
    for kind in (*affectnet_2017._KINDS, *affectnet_plus._KINDS):
        counts |= set(kind.expected)
    for count in counts:
        assert f"{count:,}" in TEXT
