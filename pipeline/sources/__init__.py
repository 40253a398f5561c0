"""The layouts in which people hold AffectNet: one module each, and the one function that recognises them.

A layout's module has LOOKED_FOR (what a user is told was looked for), `find` (root, subsets → Release or None) and
`read` (root, part → rows and rejects).
"""

import collections
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from pipeline import annotations, refusal
from pipeline.sources import base, release2017

LAYOUTS: dict[str, ModuleType] = {"2017": release2017}

SAMPLE_MARKER = "drawn_sample.json"
"""The file by which a release of drawn faces (pipeline/sample) is known."""


def recognise(root: Path, *, layout: str, subsets: tuple[str, ...]) -> base.Release:
    """Return the release in a folder.

    Args:
      layout: one of LAYOUTS, or auto to try each.

    Raises:
      refusal.Refusal: if the folder is none, or holds none; the message lists what was looked for and found.
    """
    if not root.is_dir():
        raise refusal.Refusal(f"--input_dir must be a folder: {root} is {'a file' if root.exists() else 'not there'}")
    for name in LAYOUTS if layout == "auto" else [layout]:
        if release := LAYOUTS[name].find(root, subsets):
            return release
    looked_for = ", ".join(LAYOUTS[name].LOOKED_FOR for name in (LAYOUTS if layout == "auto" else [layout]))
    raise refusal.Refusal(
        f"{root} is no AffectNet release known here, or has no {' or '.join(subsets)} annotations. "
        f"Looked for: {looked_for}. Found: {_census(root)}. docs/data.md shows each layout."
    )


def read(root: str, part: base.Part) -> Iterator[annotations.Row | annotations.Reject]:
    """Yield the rows and rejects of a part."""
    yield from LAYOUTS[part.table.layout].read(root, part)


def drawn_sample(root: Path) -> dict[str, object] | None:
    """Return what the drawn sample says of itself, or None for anything else."""
    marker = root / SAMPLE_MARKER
    return json.loads(marker.read_text(encoding="utf-8")) if marker.is_file() else None


def _census(root: Path, limit: int = 5000) -> str:
    """Say what is in a folder, by extension, from the first files of a walk."""
    kinds: collections.Counter[str] = collections.Counter()
    folders = set()
    for path in root.rglob("*"):
        if path.is_file():
            kinds[path.suffix.lower() or "no extension"] += 1
            folders.add(path.parent)
        if sum(kinds.values()) >= limit:
            break
    if not kinds:
        return "no file"
    listed = ", ".join(f"{count:,} {kind.lstrip('.')}" for kind, count in kinds.most_common(4))
    return f"{listed} in {len(folders):,} folder{'s' if len(folders) > 1 else ''}"
