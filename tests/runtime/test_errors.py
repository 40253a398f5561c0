"""Refusals are one sentence, wherever they are written."""

import ast
import errno
import pathlib
import re
import shutil
import tempfile
import types

import pytest

from runtime import errors

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROOMS = ("affectnet_tfds", "pipeline", "runtime", "synthetic_faces", "trainer", "webpage")


def sentences(tree: ast.AST) -> list[str]:
    """Return the texts that UserErrors are made with, X for each value in them."""
    calls = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("UserError")
    ]
    return [
        "".join(_text(part) for part in getattr(argument, "values", [argument]))
        for call in calls
        for argument in call.args
    ]


def _text(node: ast.AST) -> str:
    return str(node.value) if isinstance(node, ast.Constant) else "X"


def is_one_sentence(text: str) -> bool:
    return not re.search(r"\.\s+[A-Z]|\.$|\n", text)


def test_every_refusal_is_one_sentence():
    texts = [
        text
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        for text in sentences(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert len(texts) > 100
    assert [text for text in texts if not is_one_sentence(text)] == []


def test_a_second_sentence_is_noticed():
    (text,) = sentences(ast.parse('errors.UserError(f"{path} is bad. Use" " another")'))
    assert text == "X is bad. Use another" and not is_one_sentence(text)


def test_a_full_disk_is_told_with_the_full_path_what_is_needed_and_what_is_free(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: types.SimpleNamespace(free=12_345))
    full = errors.FullDiskError(errno.ENOSPC, "No space left on device", "run/best.npz")
    full.needed_bytes = 3_400_000
    assert str(errors.of_system(full)) == (
        f"cannot use {tmp_path}/run/best.npz: no space left on the device (about 3 MB are needed, "
        "12 kB are free); free some, and give the same command again"
    )


def test_a_quota_says_nothing_of_what_the_disk_has(tmp_path):
    full = OSError(errno.EDQUOT, "Disk quota exceeded", str(tmp_path / "x"))
    assert str(errors.of_system(full)) == (
        f"cannot use {tmp_path}/x: disk quota exceeded; free some space, and give the same command "
        "again"
    )


def test_a_limit_of_the_shell_has_a_way_out():
    refused = OSError(errno.EFBIG, "File too large", "/x/y")
    assert "ulimit -f, allows; raise the limit" in str(errors.of_system(refused))


def test_no_room_for_temporary_files_is_a_sentence(monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/proc"])
    with pytest.raises(FileNotFoundError) as refused:
        tempfile.gettempdir()
    assert str(errors.of_system(refused.value)).startswith(
        "no usable temporary directory found in ['/proc']: free some space there, or set TMPDIR"
    )
