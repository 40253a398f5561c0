"""The architecture: which folder may import which, no circles, no crowded folder, light imports.

Imports inside functions and under TYPE_CHECKING count: they tie two modules together as much as
others do. Each rule is also shown to fail on a tree that breaks it.
"""

import ast
import collections
import pathlib
import subprocess
import sys
from collections.abc import Iterable, Mapping

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]

MAY_IMPORT: dict[str, tuple[str, ...]] = {
    # Leaves.
    "runtime": (),
    "webpage": ("runtime",),
    "affectnet_tfds.peers": (),
    "affectnet_tfds": ("affectnet_tfds.peers",),
    "affectnet_tfds.reader": ("runtime", "affectnet_tfds"),
    # Drawn faces.
    "synthetic_faces.canvas": (),
    "synthetic_faces.subject": ("affectnet_tfds", "synthetic_faces.canvas"),
    "synthetic_faces.render": ("synthetic_faces.canvas", "synthetic_faces.subject"),
    "synthetic_faces.examples": (
        "affectnet_tfds",
        "synthetic_faces.canvas",
        "synthetic_faces.subject",
        "synthetic_faces.render",
    ),
    "synthetic_faces.layouts": (
        "affectnet_tfds",
        "synthetic_faces.subject",
        "synthetic_faces.examples",
    ),
    "synthetic_faces": ("runtime", "synthetic_faces.examples", "synthetic_faces.layouts"),
    # The job.
    "pipeline.files": ("runtime",),
    "pipeline.rows": ("affectnet_tfds", "affectnet_tfds.reader", "runtime", "pipeline.files"),
    "pipeline.sources": ("affectnet_tfds", "runtime", "pipeline.files", "pipeline.rows"),
    "pipeline.sources.layouts": (
        "affectnet_tfds",
        "runtime",
        "pipeline.files",
        "pipeline.rows",
        "pipeline.sources",
    ),
    "pipeline.near_duplicates": ("runtime",),
    "pipeline.shards": (
        "affectnet_tfds",
        "affectnet_tfds.reader",
        "runtime",
        "pipeline.files",
        "pipeline.near_duplicates",
        "pipeline.rows",
    ),
    "pipeline.beam": (
        "affectnet_tfds",
        "runtime",
        "pipeline.files",
        "pipeline.near_duplicates",
        "pipeline.rows",
        "pipeline.sources",
        "pipeline.sources.layouts",
        "pipeline.shards",
    ),
    "pipeline.data_report": (
        "affectnet_tfds",
        "runtime",
        "webpage",
        "pipeline.files",
        "pipeline.shards",
    ),
    "pipeline.metadata": ("affectnet_tfds", "pipeline.files"),
    "pipeline": (
        "affectnet_tfds",
        "affectnet_tfds.reader",
        "affectnet_tfds.peers",
        "runtime",
        "synthetic_faces",
        "synthetic_faces.layouts",
        "pipeline.files",
        "pipeline.rows",
        "pipeline.sources",
        "pipeline.sources.layouts",
        "pipeline.shards",
        "pipeline.beam",
        "pipeline.data_report",
        "pipeline.metadata",
    ),
    # The trainer.
    "trainer.config": ("affectnet_tfds", "runtime"),
    "trainer.faces": ("runtime", "trainer.config"),
    "trainer.data": (
        "affectnet_tfds",
        "affectnet_tfds.reader",
        "runtime",
        "trainer.config",
    ),
    "trainer.distributed": (
        "runtime",
        "trainer.config",
    ),
    "trainer.diagnosis": ("affectnet_tfds", "runtime", "trainer.config", "trainer.distributed"),
    "trainer.augment": (
        "affectnet_tfds",
        "trainer.config",
        "trainer.data",
        "trainer.distributed",
    ),
    "trainer.models": (
        "affectnet_tfds",
        "runtime",
        "trainer.config",
        "trainer.distributed",
    ),
    "trainer.explain": ("trainer.config", "trainer.models"),
    "trainer.evaluation": (
        "affectnet_tfds",
        "runtime",
        "trainer.config",
        "trainer.data",
        "trainer.distributed",
        "trainer.models",
    ),
    "trainer.evaluation.groups": ("runtime", "trainer.data", "trainer.evaluation"),
    "trainer.optim": (
        "trainer.config",
        "trainer.data",
        "trainer.models",
    ),
    "trainer.run": (
        "affectnet_tfds",
        "affectnet_tfds.peers",
        "runtime",
        "trainer.config",
        "trainer.data",
        "trainer.distributed",
        "trainer.evaluation",
    ),
    "trainer.inference": (
        "affectnet_tfds",
        "affectnet_tfds.reader",
        "runtime",
        "trainer.config",
        "trainer.data",
        "trainer.distributed",
        "trainer.models",
        "trainer.explain",
        "trainer.run",
    ),
    "trainer.demo": (
        "affectnet_tfds",
        "runtime",
        "synthetic_faces.examples",
        "webpage",
        "trainer.explain",
        "trainer.run",
        "trainer.inference",
    ),
    "trainer.exporting": (
        "affectnet_tfds",
        "affectnet_tfds.reader",
        "runtime",
        "trainer.data",
        "trainer.distributed",
        "trainer.models",
        "trainer.run",
        "trainer.inference",
    ),
    "trainer.reports.sections": ("webpage", "trainer.explain", "trainer.evaluation"),
    "trainer.reports": (
        "affectnet_tfds",
        "runtime",
        "webpage",
        "trainer.config",
        "trainer.data",
        "trainer.models",
        "trainer.evaluation",
        "trainer.evaluation.groups",
        "trainer.explain",
        "trainer.run",
        "trainer.reports.sections",
    ),
    "trainer.comparison": (
        "affectnet_tfds",
        "affectnet_tfds.reader",
        "runtime",
        "webpage",
        "trainer.config",
        "trainer.data",
        "trainer.evaluation",
        "trainer.run",
        "trainer.reports",
    ),
    "trainer.arena": (
        "affectnet_tfds",
        "runtime",
        "trainer.data",
        "trainer.evaluation",
        "trainer.evaluation.groups",
        "trainer.exporting",
        "trainer.inference",
        "trainer.reports",
        "trainer.reports.sections",
    ),
    "trainer.monitoring": (
        "runtime",
        "trainer.config",
        "trainer.augment",
        "trainer.evaluation",
        "trainer.optim",
        "trainer.run",
        "trainer.reports",
    ),
    "trainer.training": (
        "affectnet_tfds",
        "affectnet_tfds.reader",
        "runtime",
        "trainer.arena",
        "trainer.config",
        "trainer.data",
        "trainer.distributed",
        "trainer.augment",
        "trainer.models",
        "trainer.evaluation",
        "trainer.optim",
        "trainer.run",
        "trainer.reports",
        "trainer.monitoring",
    ),
    "trainer.label_audit": (
        "affectnet_tfds.reader",
        "runtime",
        "webpage",
        "trainer.config",
        "trainer.data",
        "trainer.evaluation",
        "trainer.models",
        "trainer.reports",
        "trainer.run",
        "trainer.training",
    ),
    "trainer.tuning": (
        "runtime",
        "webpage",
        "trainer.config",
        "trainer.data",
        "trainer.run",
        "trainer.reports",
        "trainer.monitoring",
        "trainer.training",
    ),
    "trainer": (
        "affectnet_tfds",
        "runtime",
        "webpage",
        "trainer.arena",
        "trainer.comparison",
        "trainer.config",
        "trainer.data",
        "trainer.distributed",
        "trainer.diagnosis",
        "trainer.models",
        "trainer.explain",
        "trainer.evaluation",
        "trainer.evaluation.groups",
        "trainer.run",
        "trainer.inference",
        "trainer.demo",
        "trainer.exporting",
        "trainer.reports",
        "trainer.faces",
        "trainer.label_audit",
        "trainer.monitoring",
        "trainer.training",
        "trainer.tuning",
    ),
}
"""Folder → the folders that its modules may import, besides their own. Order: what is imported
stands above what imports it, so that a table without a forward reference has no circle."""

EXCEPTIONS = {
    # Asked to generate, the builder runs the job (it is the one user of the job in the contract).
    ("affectnet_tfds.affectnet_faces", "pipeline"),
}
MOST_FILES = 15


def folders(root: pathlib.Path, rooms: Iterable[str]) -> dict[str, list[pathlib.Path]]:
    """Return the Python files of every folder, by its dotted name."""
    found = collections.defaultdict(list)
    for room in rooms:
        for path in sorted((root / room).rglob("*.py")):
            found[".".join(path.relative_to(root).parent.parts)].append(path)
    return dict(found)


def imports(root: pathlib.Path, rooms: Iterable[str]) -> dict[str, set[str]]:
    """Return the modules of ours that each module imports, wherever in it."""
    files = [path for paths in folders(root, rooms).values() for path in paths]
    modules = {".".join(path.relative_to(root).with_suffix("").parts): path for path in files}
    found: dict[str, set[str]] = {}
    for name, path in modules.items():
        named: set[str] = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                named |= {alias.name for alias in node.names}
            if isinstance(node, ast.ImportFrom) and node.module:
                named |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        found[name.removesuffix(".__init__")] = {one for one in named if one in modules} - {name}
    return found


def folder_of(module: str) -> str:
    return module.rpartition(".")[0] or module


def crossings(imported: Mapping[str, set[str]], table: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Return the imports that the table does not allow."""
    return [
        f"{module} imports {other}: {folder_of(module)} may not import {folder_of(other)}"
        for module, others in sorted(imported.items())
        for other in sorted(others)
        if folder_of(module) != folder_of(other)
        and folder_of(other) not in table.get(folder_of(module), ())
        and (module, folder_of(other)) not in EXCEPTIONS
    ]


def circle(graph: Mapping[str, set[str]]) -> list[str]:
    """Return the nodes of one circle, the first again at the end, or nothing."""
    done: set[str] = set()
    path: list[str] = []

    def visit(node: str) -> list[str]:
        if node in path:
            return [*path[path.index(node) :], node]
        if node in done:
            return []
        path.append(node)
        for other in sorted(graph.get(node, ())):
            if found := visit(other):
                return found
        path.pop()
        done.add(node)
        return []

    return next((found for node in sorted(graph) if (found := visit(node))), [])


def crowded(found: Mapping[str, list[pathlib.Path]], *, most: int) -> dict[str, int]:
    """Return the folders of more than so many files."""
    return {name: len(paths) for name, paths in found.items() if len(paths) > most}


ROOMS = sorted({name.partition(".")[0] for name in MAY_IMPORT})


def test_every_folder_imports_only_those_that_the_table_allows():
    assert crossings(imports(ROOT, ROOMS), MAY_IMPORT) == []


def test_the_table_names_every_folder_and_no_other():
    assert sorted(folders(ROOT, ROOMS)) == sorted(MAY_IMPORT)


def test_every_entry_of_the_table_is_needed():
    imported = imports(ROOT, ROOMS)
    used = collections.defaultdict(set)
    for module, others in imported.items():
        used[folder_of(module)] |= {folder_of(other) for other in others}
    unused = {
        folder: [other for other in allowed if other not in used[folder]]
        for folder, allowed in MAY_IMPORT.items()
    }
    assert {folder: rest for folder, rest in unused.items() if rest} == {}


def test_the_table_has_no_circle_and_stands_in_the_order_of_its_imports():
    names = list(MAY_IMPORT)
    backwards = [
        (folder, other)
        for folder, allowed in MAY_IMPORT.items()
        for other in allowed
        if names.index(other) >= names.index(folder)
    ]
    assert backwards == []


def test_no_module_imports_itself_in_a_circle():
    assert circle(imports(ROOT, ROOMS)) == []


def test_no_folder_is_crowded():
    assert crowded(folders(ROOT, ROOMS), most=MOST_FILES) == {}


def loaded_by(*modules: str) -> set[str]:
    """Return the packages that importing these modules loads, in a process of its own."""
    names = ", ".join(modules)
    code = f"import sys, {names}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(done.stdout.split())


@pytest.mark.slow
def test_the_trainer_loads_no_beam_and_not_the_job():
    loaded = loaded_by("trainer.main", "trainer.training.train", "trainer.predict", "trainer.sweep")
    assert "tensorflow" in loaded
    assert loaded & {"apache_beam", "pipeline", "synthetic_faces"} == set()


@pytest.mark.slow
def test_a_beam_worker_loads_no_tensorflow_and_no_drawn_faces():
    loaded = loaded_by("pipeline.beam.pipelines", "pipeline.worker", "affectnet_tfds")
    assert "apache_beam" in loaded
    assert loaded & {"tensorflow", "tensorflow_datasets", "trainer", "synthetic_faces"} == set()


@pytest.mark.slow
def test_a_program_says_no_before_tensorflow_is_imported():
    loaded = loaded_by(
        "trainer.main",
        "trainer.evaluate",
        "trainer.export",
        "trainer.predict",
        "trainer.app",
        "trainer.audit",
    )
    assert "tensorflow" not in loaded


def make_tree(root: pathlib.Path, **texts: str) -> pathlib.Path:
    """Write modules, named with __ for each dot."""
    for name, text in texts.items():
        path = root / pathlib.Path(*name.split("__")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_an_import_that_the_table_forbids_is_noticed_wherever_it_stands(tmp_path):
    root = make_tree(
        tmp_path,
        low__one="def late():\n    from high import two\n",
        low__three="import typing\nif typing.TYPE_CHECKING:\n    from high import two\n",
        high__two="from low import one\n",
    )
    table = {"low": (), "high": ("low",)}
    assert crossings(imports(root, table), table) == [
        "low.one imports high.two: low may not import high",
        "low.three imports high.two: low may not import high",
    ]


def test_a_circle_is_noticed(tmp_path):
    root = make_tree(
        tmp_path, a__x="from a import y\n", a__y="def late():\n    from a import x\n", a__z=""
    )
    assert circle(imports(root, ["a"])) == ["a.x", "a.y", "a.x"]


def test_a_crowded_folder_is_noticed(tmp_path):
    root = make_tree(tmp_path, **{f"a__m{number}": "" for number in range(16)}, b__one="")
    assert crowded(folders(root, ["a", "b"]), most=15) == {"a": 16}


def test_a_heavy_import_is_noticed():
    assert "json" in loaded_by("json")
    assert "json" not in loaded_by("math")
