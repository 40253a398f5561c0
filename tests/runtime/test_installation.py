"""A missing package is named with the extra that brings it, from an installation that exists."""

import ast
import importlib.metadata
import importlib.util
import logging
import pathlib
import re
import subprocess
import sys

import packaging.requirements
import pytest

from runtime import errors, installation

ROOT = pathlib.Path(__file__).resolve().parents[2]


def extras() -> dict[str, set[str]]:
    """The distributions of each extra of setup.py, by its installed metadata."""
    found: dict[str, set[str]] = {}
    for text in importlib.metadata.requires(installation.NAME) or []:
        wanted = packaging.requirements.Requirement(text)
        (extra,) = re.findall(r"extra == [\"'](\w+)", text) or [""]
        found.setdefault(extra, set()).add(packaging.utils.canonicalize_name(wanted.name))
    return found


def test_the_extra_named_for_a_module_is_the_one_that_brings_it():
    owners = importlib.metadata.packages_distributions()
    of_extra = extras()
    for module, extra in installation.EXTRA_OF_MODULE.items():
        brings = {
            packaging.utils.canonicalize_name(owner) for owner in owners.get(module, [module])
        }
        # Keras comes with TensorFlow, uvicorn with Gradio.
        assert brings & of_extra[extra] or module in ("keras", "uvicorn"), module


@pytest.fixture
def elsewhere(monkeypatch, tmp_path):
    """A checkout without an environment."""
    (tmp_path / "setup.py").write_text("")
    monkeypatch.setattr(installation, "CHECKOUT", tmp_path)
    return tmp_path


def test_without_the_environment_it_says_how_to_make_one(elsewhere, monkeypatch):
    monkeypatch.chdir(elsewhere)
    assert str(installation.missing_module("tensorflow.keras")) == (
        "tensorflow is not installed: install all in an environment with 'make .venv/.ready' and "
        "'. .venv/bin/activate', or this with pip install '.[train]'"
    )


def test_beside_the_environment_it_says_how_to_activate_it(elsewhere):
    (elsewhere / ".venv" / "bin").mkdir(parents=True)
    (elsewhere / ".venv" / "bin" / "python").write_text("")
    assert str(installation.missing_module("absl")) == (
        "absl is not installed: activate the environment of this checkout with "
        f"'. {elsewhere}/.venv/bin/activate'"
    )


def test_in_the_environment_it_names_the_extra(elsewhere, monkeypatch):
    monkeypatch.setattr(sys, "prefix", str(elsewhere / ".venv"))
    with pytest.raises(errors.UserError) as no:
        installation.require("json", "no_such_module", what="--format=onnx")
    assert str(no.value) == (
        f"--format=onnx needs no_such_module: install it with pip install '{elsewhere}[train]'"
    )
    assert installation.way_to_install("optuna").endswith(f"'{elsewhere}[sweep]'")


def test_outside_a_checkout_it_names_one(elsewhere):
    (elsewhere / "setup.py").unlink()
    assert installation.way_to_install("mtcnn") == (
        "install it with pip install '.[predict]' in a checkout of affectnet-faces"
    )


def test_a_module_of_nobody_is_a_defect():
    assert installation.missing_module("no_such_module") is None


@pytest.mark.parametrize("module", ["trainer.main", "pipeline.verify", "trainer.compare"])
def test_a_program_without_its_packages_says_so_in_a_sentence(module, tmp_path):
    """-S hides site-packages."""
    done = subprocess.run(
        [sys.executable, "-S", "-m", module], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and done.stdout == ""
    assert re.fullmatch(r"error: \w+ is not installed: .*\n", done.stderr)


def test_no_message_names_the_project_on_an_index():
    named = [
        f"{path.name}: {node.value}"
        for room in ("affectnet_tfds", "pipeline", "runtime", "synthetic_faces", "trainer")
        for path in (ROOT / room).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if re.search(r"pip install ['\"]?affectnet", node.value)
    ]
    assert named == []
    assert importlib.util.find_spec(installation.__name__)


def test_a_hidden_package_cannot_be_imported_and_no_warning_of_that_is_logged(caplog):
    with installation.hidden("wave", also_imported=True), pytest.raises(ImportError):
        logging.getLogger("library").warning("no wave")
        import wave
    import wave

    assert wave.open
    assert not caplog.records
    logging.getLogger("library").warning("something else")
    assert [record.message for record in caplog.records] == ["something else"]
