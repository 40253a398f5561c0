"""docs/flags.md is up to date, and has every flag that --help has."""

import ast
import re

import pytest

from docs import flag_reference
from runtime import fields, flags
from tests import documents

PAGE = documents.PAGES["docs/flags.md"]


def test_the_page_is_up_to_date():
    assert flag_reference.page() == PAGE, "python -m docs.flag_reference writes it anew"


@pytest.mark.parametrize("program", flag_reference.programs())
def test_a_program_has_a_section_with_its_flags(program):
    section = PAGE.partition(f"\n## {program}\n")[2].partition("\n## ")[0]
    shown = set(re.findall(r"^\| `--(?:\[no\])?(\w+)`", section, flags=re.MULTILINE))
    sections = flag_reference.sections(program)
    declared = {name for kind in sections.values() for name in fields.options(kind)}
    if program in ("trainer.audit", "trainer.sweep"):
        declared -= {
            name
            for kind in flag_reference.sections("trainer.main").values()
            for name in fields.options(kind)
        }
    assert shown == declared and shown
    help_page = flags.help_text(sections, about="")
    entry = r"^  --(\[no\])?{}(\[=[\w|]+\])?$"
    assert all(re.search(entry.format(name), help_page, re.MULTILINE) for name in shown)


def test_a_benchmarks_flags_are_read_from_its_source():
    source = 'A = flags.DEFINE_list("sizes", ["48"], "sizes, a | b")\nB = flags.DEFINE_string(\n'
    source += '    "work_dir", None, "working folder", required=True\n)\n'
    assert list(flag_reference._declared(ast.parse(source))) == [
        "| `--sizes` | 48 | sizes, a \\| b. |",
        "| `--work_dir` | must be given | working folder. |",
    ]
