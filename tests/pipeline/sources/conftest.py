"""Small copies of every layout: images of a few pixels, rows written by hand."""

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from pipeline.rows import annotations
from pipeline.sources import base
from pipeline.sources.layouts import registry

JPEG = cv2.imencode(".jpg", np.full((8, 8, 3), 128, np.uint8))[1].tobytes()


def put(root: Path, *paths: str, content: bytes | str = JPEG) -> Path:
    """Write files with the same content below a root; return the root."""
    for path in paths:
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
    return root


def recognise(root: Path, **request: object) -> base.Release:
    """Recognise the release in a folder."""
    return registry.recognise(root, base.Request(**request))  # type: ignore[arg-type]  # Tests name fields by word.


def read(root: Path, **request: object) -> list[annotations.Row | annotations.Reject]:
    """Read all of a release, in the order of its parts."""
    release = recognise(root, **request)
    return [item for part in release.parts() for item in registry.read(release.root, part)]


def brief(items: Iterable[annotations.Row | annotations.Reject]) -> list[tuple[object, ...]]:
    """Reduce rows to split, path and label, and rejects to path and reason."""
    return [
        (item.split, item.path, item.label)
        if isinstance(item, annotations.Row)
        else (item.path, item.reason)
        for item in items
    ]
