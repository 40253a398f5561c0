"""Checksums of a published version: SHA256SUMS, as sha256sum writes and checks it.

Owns the file: the SHA-256 of every other file of the version, by which pipeline.verify names any
that changed; its first line, a comment for sha256sum, has that of the lines below, so that a change
of the list itself is told apart. It reveals damage, not intent: nothing is signed.
"""

import hashlib
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from pipeline.files import atomic, storage

FILE = "SHA256SUMS"

_HEAD = "# SHA-256 of the lines below: "
_BLOCK_BYTES = 1 << 20


class Sums(NamedTuple):
    """Content of the file."""

    by_name: Mapping[str, str]
    is_intact: bool


def write(
    folder: storage.AnyPath,
    *,
    leave: Callable[[str], bool] = lambda name: False,
    known: Mapping[str, str] | None = None,
) -> None:
    """Write the sums of the files in a folder, atomically.

    Args:
      folder: of a version, or of one about to be published.
      leave: whether a file of this name is not a part of it.
      known: sums that need not be computed, by name.
    """
    known = known or {}
    names = sorted(entry.name for entry in storage.entries(folder))
    lines = [
        f"{known.get(name) or of_file(folder / name)}  {name}\n"
        for name in names
        if name != FILE and not leave(name)
    ]
    atomic.write_text(folder / FILE, _head(lines) + "".join(lines))


def update(folder: storage.AnyPath, *, names: Sequence[str]) -> None:
    """Replace the sums of files that were written anew, where the version has sums."""
    found = read(folder)
    if not found or not found.is_intact:
        return  # Of an earlier release; or damaged, which pipeline.verify has to find.
    sums = {**found.by_name, **{name: of_file(folder / name) for name in names}}
    lines = [f"{digest}  {name}\n" for name, digest in sorted(sums.items())]
    atomic.write_text(folder / FILE, _head(lines) + "".join(lines))


def read(folder: storage.AnyPath) -> Sums | None:
    """Return the sums of a version, or None where it has none; damaged lines are left out."""
    try:
        text = storage.content(folder / FILE).decode(errors="replace")
    except FileNotFoundError:
        return None
    head, *lines = text.splitlines(keepends=True) or [""]
    pairs = [line.rstrip("\n").partition("  ") for line in lines]
    return Sums({name: digest for digest, _, name in pairs if name}, head == _head(lines))


def of_file(path: storage.AnyPath) -> str:
    """Return the SHA-256 of a file."""
    digest = hashlib.sha256()
    storage.check_input(path, at_most=sys.maxsize)  # Of any size: it is read in blocks.
    with storage.naming(path), path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _head(lines: list[str]) -> str:
    return f"{_HEAD}{hashlib.sha256(''.join(lines).encode()).hexdigest()}\n"
