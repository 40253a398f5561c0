"""Flag reference: docs/flags.md, from the fields and declarations of every program.

    python -m docs.flag_reference    writes the page anew

Owns the page. A list written by hand was rejected: it goes out of date with the first flag that is
added. The flags of the benchmarks are read from their source: imported together they would declare
some names twice.
"""

import ast
import importlib
import pathlib
from collections.abc import Iterator

from runtime import command, fields, flags, json_log

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "flags.md"
WITHOUT_FLAGS = {"pipeline.worker": "Beam gives it its options"}
"""Programs that have no flags for a person to give."""

TRAINER = "trainer.main"
FURTHER = {
    "pipeline.main": "Flags that are not its own go to Beam: `--runner`, and those of the runner "
    "([scaling](scaling.md#the-job-on-an-engine)).",
    "trainer.hosts": f"After `--`: the flags of [{TRAINER}](#trainermain).",
    "trainer.audit": f"Beside these, those of [{TRAINER}](#trainermain) that are not for one run "
    "alone, without `--teacher` and `--suspects`.",
    "trainer.sweep": f"Beside these, those of [{TRAINER}](#trainermain) that are not for one run "
    "alone.",
}
_INTRODUCTION = """# Flags

<!-- Written by python -m docs.flag_reference -->

Every flag of every program, in the order of their `--help`. Flags are written `--name=value`,
switches `--name` or `--noname`. `--help` and `--version` are understood by all.
"""


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")


def page() -> str:
    """Return the text of docs/flags.md."""
    found = ["\n".join(["## every program", "", *_tables(json_log.SECTIONS)])]
    found += [_program(name) for name in programs()]
    found += [_benchmark(path) for path in sorted((ROOT / "benchmarks").glob("*.py"))]
    return "\n".join([_INTRODUCTION, *filter(None, found)])


def programs() -> list[str]:
    """Return the modules that are programs with flags, the job's first."""
    return [
        f"{package}.{path.stem}"
        for package in ("pipeline", "trainer")
        for path in sorted((ROOT / package).glob("*.py"), key=lambda p: (p.stem != "main", p.stem))
        if _is_program(path) and f"{package}.{path.stem}" not in WITHOUT_FLAGS
    ]


def sections(program: str) -> flags.Sections:
    """Return the sections of a program's flags."""
    found: flags.Sections = importlib.import_module(program).SECTIONS
    return found


def declared(program: str) -> dict[str, type]:
    """Return the flags that a program understands, each with the section that declares it."""
    kinds = [*sections(program).values(), *json_log.SECTIONS.values()]
    return {name: kind for kind in kinds for name in fields.options(kind)}


def _is_program(path: pathlib.Path) -> bool:
    return '__name__ == "__main__"' in path.read_text(encoding="utf-8")


def _program(name: str) -> str:
    module = importlib.import_module(name)
    own = dict(sections(name))
    if name != TRAINER:
        own = {title: kind for title, kind in own.items() if kind not in _of_training()}
    about = module.ABOUT.partition("\n\n")[0]
    lines = [f"## {name}", "", f"{_short_name(name)}{' '.join(about.split())}", ""]
    if name in FURTHER:
        lines += [FURTHER[name], ""]
    return "\n".join([*lines, *_tables(own)])


def _short_name(module: str) -> str:
    names = [name for name, each in command.PROGRAMS.items() if each.module == module]
    return "".join(f"`affectnet-faces {name}`. " for name in names)


def _of_training() -> tuple[type, ...]:
    return tuple(sections(TRAINER).values())


def _tables(own: flags.Sections) -> Iterator[str]:
    """Yield the lines of a table for each group of flags, as --help groups them."""
    groups: dict[str, list[str]] = {}
    for title, kind in own.items():
        for name, option in fields.options(kind).items():
            row = _row(kind, name=name, option=option)
            groups.setdefault(option.group or title, []).append(row)
    for title, rows in groups.items():
        if len(groups) > 1:
            yield from (f"### {title}", "")
        yield from ("| flag | default | meaning |", "|---|---|---|", *rows, "")


def _row(kind: type, *, name: str, option: fields.Option) -> str:
    is_switch = fields.value_type(kind, name=name)[0] is bool
    return _cells(
        f"`--{'[no]' if is_switch else ''}{name}`",
        flags.default_text(kind, name=name),
        flags.meaning(option),
    )


def _cells(*texts: str) -> str:
    return "| " + " | ".join(" ".join(text.split()).replace("|", "\\|") for text in texts) + " |"


def _benchmark(path: pathlib.Path) -> str:
    """Return the section of a benchmark, or "" if it has no flags."""
    rows = list(_declared(ast.parse(path.read_text(encoding="utf-8"))))
    if not rows:
        return ""
    table = ["| flag | default | meaning |", "|---|---|---|", *rows, ""]
    return "\n".join([f"## benchmarks.{path.stem}", "", *table])


def _declared(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("flags.DEFINE_"):
            name, meaning = (ast.literal_eval(node.args[i]) for i in (0, 2))
            text = _default(node.args[1])
            is_required = any(each.arg == "required" for each in node.keywords)
            yield _cells(f"`--{name}`", "must be given" if is_required else text, f"{meaning}.")


def _default(node: ast.expr) -> str:
    try:
        default = ast.literal_eval(node)
    except ValueError:
        return "computed: see its `--help`"
    return ",".join(default) if isinstance(default, list) else str(default)


if __name__ == "__main__":
    main()
