"""Atomic file replacement: a reader, or a program that starts after a crash, sees the old file or
the new one."""

import pathlib


def replace(path: pathlib.Path, *, content: bytes) -> pathlib.Path:
    """Replace the file in one rename, so that a killed process leaves the old report or the new
    one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.with_name(f".{path.name}.tmp")
    staged.write_bytes(content)
    return staged.replace(path)
