"""Every flag is in some test, and this test can fail."""

import pathlib
import re

import pytest

from runtime import fields
from trainer import sweep
from trainer.config import run_config

HERE = pathlib.Path(__file__)
TESTS = "\n".join(path.read_text() for path in sorted(HERE.parent.rglob("*.py")) if path != HERE)


def is_tested(name: str) -> bool:
    return re.search(rf"\b{name}\b", TESTS) is not None


@pytest.mark.parametrize(
    "name", [name for section in sweep.SECTIONS.values() for name in fields.options(section)]
)
def test_every_flag_is_in_a_test(name):
    assert is_tested(name)


def test_a_flag_without_a_test_would_be_noticed():
    assert not is_tested("no_such_" + "flag")


def test_every_section_is_in_the_help_and_in_the_configuration():
    assert [title.lower() for title in run_config.SECTIONS] == list(
        run_config.Config.__dataclass_fields__
    )
