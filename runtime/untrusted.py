"""Untrusted input: opens regular files of a bounded size only, bounds YAML and JSON, makes names
printable.

Owns what is asked of every file and name that somebody else made, or changed since we wrote it,
before it is used: lists, annotations, images, weights, recipes, flag files and the JSON files of
builds and runs are looked at before they are opened, because opening a pipe waits for its writer,
opening a device can do something, and /dev/zero never ends. A limit inside each reader was
rejected: one reader would always lack it.

JSON that a program wrote and reads again: whatever is wrong with the content is a ValueError.
json.loads alone was rejected: it also raises RecursionError, for a file of brackets, and hands on a
list where an object was meant, and the caller had to think of both in each place.
"""

import errno
import functools
import itertools
import json
import os
import re
import stat
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from runtime import errors

if TYPE_CHECKING:  # Not every program reads YAML.
    import yaml

MB = 1_000_000
SETTINGS_BYTES = 64_000
"""Largest file of settings (recipe, data.yaml, flag file): YAML of this size is read in 0.5 s."""
ANNOTATION_BYTES = 4 * MB
"""Largest annotation file of one image: 65,535 faces fit in it."""
LIST_BYTES = 4_000 * MB
"""Largest list that is read whole: three million rows with 68 landmarks each."""
STREAMED_BYTES = 400_000 * MB
"""Largest list that is read in pieces: four hundred million such rows."""
WEIGHTS_BYTES = 4_000 * MB
"""Largest file of weights: those of the largest keras.applications take 1.4 GB."""
JSON_BYTES = 64 * MB
"""Largest JSON file of a run: a hundred times what a journal of a thousand starts has."""

_YAML_NODES = 20_000
"""Most values in a YAML file, each alias counted as what it stands for."""
_YAML_DEPTH = 50
_NUMBER_CHARACTERS = 40
_KINDS = {
    stat.S_IFREG: "",
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFCHR: "a device or terminal",
    stat.S_IFBLK: "a block device",
    stat.S_IFSOCK: "a socket",
}
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_NO_TEXT = {
    "a ZIP archive, or an Excel workbook": rb"PK\x03\x04",
    "a workbook of Excel or another document of Office": rb"\xd0\xcf\x11\xe0",
    "compressed with gzip": rb"\x1f\x8b",
    "compressed with bzip2": rb"BZh\d1AY",
    "compressed with xz": rb"\xfd7zXZ",
    "compressed with zstd": rb"(\x28\xb5\x2f\xfd)",
    "a 7z archive": rb"7z\xbc\xaf",
    "a RAR archive": rb"Rar!\x1a",
    "a PDF": rb"%PDF-",
    "a Parquet file": rb"PAR1\x15",
    "an HDF5 file": rb"\x89HDF",
    "a SQLite database": rb"SQLite format 3\0",
    "a NumPy array": rb"\x93NUMPY",
    "a Python pickle": rb"\x80[\x02-\x05]",
}
"""Files that are taken for text lists, and how they begin."""


def check(path: str | os.PathLike[str], *, at_most: int, within: str = "") -> None:
    """Check that a path is a regular file of at most so many bytes, without opening it.

    Args:
      path: of the file; a folder passes, since opening one is refused by the system itself.
      at_most: bytes.
      within: a folder that the file must not leave by links; "": links may lead anywhere.

    Raises:
      OSError: if there is no such file; or, with ENOTSUP, if it is of another kind, too large or
        leads out of the folder. The text says what it is, and errors.of_system makes a sentence of
        it.
    """
    text = os.fspath(path)
    found = os.lstat(text)
    if within:
        _check_links(text, is_link=stat.S_ISLNK(found.st_mode), within=within)
    if stat.S_ISLNK(found.st_mode):
        found = os.stat(text)  # noqa: PTH116  A Path for each of a million files is slow.
    if stat.S_ISDIR(found.st_mode):
        return
    if what := kind(found.st_mode):
        raise OSError(errno.ENOTSUP, f"it is {what}, and only regular files are read", text)
    if found.st_size > at_most:
        raise OSError(
            errno.ENOTSUP,
            f"it has {found.st_size / MB:,.1f} MB, and such a file may have {at_most / MB:,.6g} MB",
            text,
        )


def kind(mode: int) -> str:
    """Return what the mode of a file says that it is, such as "a folder"; "" for a regular file."""
    return _KINDS.get(stat.S_IFMT(mode), "no file")


def _check_links(path: str, *, is_link: bool, within: str) -> None:
    inside = is_inside(os.path.dirname(path), within)  # noqa: PTH120  Slow, as above.
    if not inside or (is_link and not is_inside(path, within)):
        raise OSError(
            errno.ENOTSUP,
            "a link leads out of the input folder, and is followed with --follow_links only",
            path,
        )


@functools.lru_cache(maxsize=4096)  # A folder is asked for each of its files.
def is_inside(path: str, folder: str) -> bool:
    """Return whether a path, its links followed, is a folder or below it."""
    real, root = os.path.realpath(path), os.path.realpath(folder)
    return real == root or real.startswith(root.rstrip("/") + "/")


def read_text(path: str | os.PathLike[str], *, at_most: int) -> str:
    """Return the text of a file in UTF-8, with or without a byte-order mark.

    Raises:
      OSError: as `check` does, or if it cannot be read.
      errors.UserError: if it is no UTF-8.
    """
    check(path, at_most=at_most)
    with open(path, "rb") as file:  # noqa: PTH123  As in `check`, any path.
        return decoded(file.read(at_most), where=path)


def decoded(content: bytes, *, where: object) -> str:
    """Return the text of a file's bytes.

    Raises:
      errors.UserError: naming the encoding, if it is no UTF-8.
    """
    check_encoding(content, where=where)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise errors.UserError(
            f"{where} must be text in UTF-8: byte {error.start:,} is "
            f"0x{content[error.start]:02x}; save it as UTF-8"
        ) from None


def check_encoding(start: bytes, *, where: object) -> None:
    """Check that the first bytes of a file are not those of an archive or of UTF-16, and not zero.

    Raises:
      errors.UserError: if they are, saying what the file is.
    """
    for what, beginning in _NO_TEXT.items():
        if re.match(beginning, start, re.DOTALL):
            raise errors.UserError(
                f"{where} is {what}, and must be text in UTF-8: unpack it, or save it as such "
                "(a table as CSV)"
            )
    zeros = start[:64].count(0)
    if start.startswith(_UTF_16) or (b"\0" in start[:4] and zeros * 3 <= len(start[:64]) * 2):
        raise errors.UserError(f"{where} is in UTF-16, and must be in UTF-8: save it as UTF-8")
    if b"\0" in start[:4]:
        raise errors.UserError(f"{where} must be text in UTF-8: it begins with zero bytes")


def read_json(path: str | os.PathLike[str], *, at_most: int = JSON_BYTES) -> Any:
    """Return the content of a JSON file.

    Raises:
      ValueError: with what is wrong, if the content is damaged.
      OSError: naming the file, as `check` does, or if it cannot be read.
    """
    check(path, at_most=at_most)
    with errors.naming(path), open(path, "rb") as file:  # noqa: PTH123  As in `check`, any path.
        return parse_json(file.read())


def read_json_object(path: str | os.PathLike[str], *, at_most: int = JSON_BYTES) -> dict[str, Any]:
    """Return the object that a JSON file holds.

    Raises:
      ValueError: with what is wrong, if the content is damaged or is something else.
      OSError: as `read_json` does.
    """
    return json_object(read_json(path, at_most=at_most))


def parse_json(content: bytes) -> Any:
    """Return the value of a JSON text in UTF-8.

    Raises:
      ValueError: with what is wrong, if it is none.
    """
    try:
        return json.loads(content.decode("utf-8"))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def json_object(value: Any) -> dict[str, Any]:
    """Return a value of JSON that must be an object.

    Raises:
      ValueError: if it is not.
    """
    if not isinstance(value, dict):
        raise ValueError(f"values by name were expected: got {type(value).__name__}")
    return value


def parse_yaml(text: str, *, where: object) -> Any:
    """Return the value of a YAML text; aliases may not make it much larger, or endless.

    Raises:
      errors.UserError: if it is no YAML, nested too deep, or too large.
    """
    import yaml  # Inside: few programs need it.

    try:
        if _depth(text) > _YAML_DEPTH:
            raise RecursionError
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is None:
            return None
        if _num_values(node, {}) > _YAML_NODES:
            raise errors.UserError(
                f"{where} must hold at most {_YAML_NODES:,} values: its aliases make more of them"
            )
        loader = yaml.SafeLoader("")
        return loader.construct_document(node)
    except RecursionError:
        reason = "its values are nested too deep, or in themselves"
    except (yaml.YAMLError, ValueError, TypeError, ArithmeticError, LookupError) as error:
        # The last four: of a date that is none, or a number with too many digits.
        reason = " ".join(str(error).split())
    raise errors.UserError(f"{where} must be YAML: {reason[:300]}")


def _depth(text: str) -> int:
    """Return how deep brackets are nested, those in quotes counted too: PyYAML takes seconds to."""
    steps = (1 if bracket in "[{" else -1 for bracket in re.findall(r"[\[\]{}]", text))
    return max(itertools.accumulate(steps), default=0)


def _num_values(node: "yaml.Node", known: dict[int, int]) -> int:
    """Return the number of values below a node, each alias counted as what it stands for."""
    if id(node) not in known:
        if node.tag.endswith((":int", ":float")) and len(node.value) > _NUMBER_CHARACTERS:
            raise ValueError(f"a number has {len(node.value):,} characters")
        inside = list(_inside(node))
        known[id(node)] = 1
        if inside:
            known[id(node)] = _YAML_NODES + 1  # While it is counted: it may hold itself.
            known[id(node)] = 1 + sum(_num_values(each, known) for each in inside)
    return known[id(node)]


def _inside(node: "yaml.Node") -> "Iterator[yaml.Node]":
    if not isinstance(node.value, list):
        return
    for each in node.value:
        yield from each if isinstance(each, tuple) else (each,)


_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, those that turn the direction of text, and bytes that are no UTF-8."""
_UNDECODED = re.compile("[\ud800-\udfff]")
_FORMULA = ("=", "+", "-", "@")
_NEGATIVE = re.compile(r"-[0-9]+(\.[0-9]+)?", re.ASCII)
"""Text that is a number to a spreadsheet, and the same one when it is read again."""


def readable(name: str) -> str:
    r"""Return a file's name as text that can be encoded: bytes that are no UTF-8 as \xNN."""
    return _UNDECODED.sub(_escape, name) if not name.isascii() else name


def printable(text: str) -> str:
    r"""Return text that moves no cursor and hides nothing: control characters as \xNN."""
    return _CONTROL.sub(_escape, text) if not (text.isascii() and text.isprintable()) else text


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:  # A byte, as os.fsdecode gives it.
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def cell(value: Any) -> Any:
    """Return the value of a CSV cell: text that a spreadsheet would compute begins with '."""
    if not isinstance(value, str):
        return value
    text = printable(value)
    is_formula = text.startswith(_FORMULA) and not _NEGATIVE.fullmatch(text)
    return f"'{text}" if is_formula else text


def of_cell(text: str) -> str:
    """Return the text that `cell` was given, as far as it is printable."""
    return text[1:] if text.startswith(tuple(f"'{first}" for first in _FORMULA)) else text
