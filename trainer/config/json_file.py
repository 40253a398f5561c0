"""JSON files of a run: read with one kind of error for whatever is wrong with the content.

Owns the limit of size and what counts as damage. json.loads alone was rejected: it also raises
RecursionError, for a file of brackets, and the caller had to think of it in each place.
"""

import json
import pathlib
from typing import Any

from runtime import errors

_MOST_BYTES = 64 * 2**20
"""A hundred times what a journal of a thousand starts has."""


def read(path: pathlib.Path) -> Any:
    """Return the content of a JSON file.

    Raises:
      ValueError: with what is wrong, if the file is damaged.
      OSError: if the disk does not let it be read.
    """
    size = path.stat().st_size
    if size > _MOST_BYTES:
        raise ValueError(f"it has {size / 1e6:,.0f} MB")
    with errors.naming(path):
        content = path.read_bytes()
    try:
        return json.loads(content.decode("utf-8"))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def read_object(path: pathlib.Path) -> dict[str, Any]:
    """Return the object that a JSON file holds.

    Raises:
      ValueError: with what is wrong, if the file is damaged or holds something else.
      OSError: if the disk does not let it be read.
    """
    content = read(path)
    if not isinstance(content, dict):
        raise ValueError(f"values by name were expected: got {type(content).__name__}")
    return content
