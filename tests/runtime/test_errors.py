"""Refusals are one sentence, wherever they are written."""

import ast
import pathlib
import re

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
