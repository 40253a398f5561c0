"""Pages of the documentation, and the commands and code blocks in them."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in [
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")),
        *sorted((ROOT / "docs").glob("*.md")),
    ]
}

_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(
    r"(\$ |[A-Z_]+=\S* )?(python[\d.]* |affectnet-faces\b|make\b|pip |git |cd |\. |apt-get |"
    r"docker |kubectl |sbatch |srun |jupyter |tensorboard |tfds |printf |chmod |eval |\.venv/)"
)
_INLINE = re.compile(
    r"`((?:python -m |\.venv/|affectnet-faces |make |pip |jupyter |docker |apt-get |sbatch |"
    r"kubectl )[^`]+)`"
)


class Command(NamedTuple):
    """A command of a page; one of a fenced block is for the reader to copy."""

    page: str
    text: str
    is_fenced: bool


def blocks(page: str, *, language: str) -> list[str]:
    """Return the fenced blocks of a language, in order."""
    return [text for info, text in _FENCED.findall(page) if info == language]


def sections(page: str) -> dict[str, str]:
    """Return the text below each heading of the second level, by its title."""
    parts = re.split(r"^## (.*)\n", page, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def commands() -> Iterator[Command]:
    """Yield the shell commands of all pages, continued lines joined."""
    for name, page in PAGES.items():
        for language in ("", "sh", "bash", "console"):
            for text in blocks(page, language=language):
                yield from (Command(name, line, True) for line in _lines(text))
        prose = " ".join(_FENCED.sub("", page).split())
        yield from (Command(name, text, False) for text in _INLINE.findall(prose))


def _lines(block: str) -> list[str]:
    """Return the commands of a block: the lines after a prompt, or all where there is none."""
    if not _COMMAND.match(block):
        return []
    lines = re.sub(r"\s*\\\n\s*", " ", block).splitlines()
    prompted = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    return prompted or [line for line in lines if line.strip()]
