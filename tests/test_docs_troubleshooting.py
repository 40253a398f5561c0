"""docs/troubleshooting.md: the programs can print each message that it explains."""

import ast
import re
from collections.abc import Sequence

import pytest

from tests import documents

PAGE = documents.PAGES["docs/troubleshooting.md"]
HEADINGS = re.findall(r"^### (.*)$", PAGE, flags=re.MULTILINE)
TFDS = "TFDS: "
"""Begins a heading with a message of TFDS."""
MESSAGES = [
    message
    for heading in HEADINGS
    if not heading.startswith(TFDS)
    for message in re.findall(r"`([^`]+)`", heading)
]
OURS = ("affectnet_tfds", "deploy", "pipeline", "runtime", "synthetic_faces", "trainer")
ANY = None
"""Stands for what a program fills in."""

Text = list[str | None]


def texts() -> list[Text]:
    """Return every text in our code and in the Makefile, long enough to be known by its words."""
    files = [path for name in OURS for path in sorted((documents.ROOT / name).rglob("*.py"))]
    found = [text for path in files for text in texts_of(path.read_text(encoding="utf-8"))]
    makefile = (documents.ROOT / "Makefile").read_text(encoding="utf-8")
    found += [[echoed] for echoed in re.findall(r'"(error: [^"%]+?)[:.]? ?[%$"]', makefile)]
    return [text for text in found if sum(len(part or "") for part in text) >= 10]


def texts_of(source: str) -> list[Text]:
    """Return the texts of a module; an f-string with `ANY` for each of its values."""
    found: list[Text] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):
            found.append([_part(value) for value in node.values])
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append([node.value])
    return found


def _part(value: ast.expr) -> str | None:
    return str(value.value) if isinstance(value, ast.Constant) else ANY


def is_in(message: str, text: Text) -> bool:
    """Tell whether a text can hold a message, in which … stands for any words."""
    wanted = [part for part in re.split("(…)", message.strip("…")) if part]
    pattern = "".join(".*" if part == "…" else re.escape(part) for part in wanted)
    shown = "".join("\0" if part is ANY else part for part in text)
    return re.search(pattern, shown, flags=re.DOTALL) is not None


def can_be_printed(message: str, known: Sequence[Text]) -> bool:
    return any(is_in(message, text) for text in known)


@pytest.fixture(scope="module")
def known() -> list[Text]:
    return texts()


def test_there_are_messages():
    assert len(MESSAGES) > 25
    assert all("`" in heading for heading in HEADINGS), "a heading is a message"


@pytest.mark.parametrize("message", MESSAGES)
def test_a_program_can_print_the_message(message, known):
    assert sum(map(str.isalpha, message)) >= 10, "too short to be told from others"
    assert can_be_printed(message, known)


def test_a_message_of_tfds_is_tfdss(tmp_path):
    import tensorflow_datasets as tfds  # Inside: its import takes seconds.

    (message,) = [heading.removeprefix(TFDS) for heading in HEADINGS if heading.startswith(TFDS)]
    with pytest.raises(tfds.core.registered.DatasetNotFoundError) as refused:
        tfds.load("no_such_faces", data_dir=tmp_path)
    assert message.strip("`").replace("affectnet_faces", "no_such_faces") in str(refused.value)


def test_a_message_that_no_program_prints_is_noticed():
    known = texts_of('raise UserError(f"--weights={path} does not fit --model={name}: {why}")')
    assert can_be_printed("--weights=… does not fit --model=…", known)
    assert can_be_printed("does not fit --model", known)
    assert not can_be_printed("--weights=… does not suit --model=…", known)
