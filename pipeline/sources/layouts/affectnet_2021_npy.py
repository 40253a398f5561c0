"""Layout of the npy release of 2021: images/N.jpg and annotations/N_{exp,val,aro,lnd}.npy a split.

Images are face crops already, so the whole image is used and landmarks are in its pixels. Ids have
gaps and are shared between the splits; a file name in the record therefore begins with the split's
folder, as the release calls it.
"""

import functools
import io
import math
import re
import tokenize
from collections.abc import Iterator, Mapping
from typing import Literal

import numpy as np

from pipeline.files import storage
from pipeline.rows import annotations
from pipeline.sources import base, folder_walk, image_folders, passed_over, split_names

LOOKED_FOR = "train_set/annotations/*_exp.npy (2021)"

FOLDERS = {"train": "train_set/images", "validation": "val_set/images", "test": "test_set/images"}
EXPECTED = {"train": (287_651,), "validation": (3_999, 4_000)}
FIELDS = {"exp": "label", "val": "valence", "aro": "arousal"}
LANDMARKS = "lnd"
MAX_BYTES = 1 << 16
"""Upper limit of an annotation file's size; a longer one is rejected."""

_NAME = re.compile(r"(.+)_(?:exp|val|aro|lnd)\.npy")


def detect(
    folders: tuple[folder_walk.Folder, ...], request: base.Request
) -> dict[str, image_folders.Pair]:
    """Return the folders that hold images beside npy annotations."""
    if "manual" not in request.subsets:
        return {}
    pairs = image_folders.pairs_of(folders, images="images", annotations="annotations")
    with_npy = {folder.relative for folder in folders if ".npy" in folder.kinds}
    return {folder: pair for folder, pair in pairs.items() if pair.annotations in with_npy}


def find_release(
    root: storage.AnyPath, folders: tuple[folder_walk.Folder, ...], request: base.Request
) -> base.Release:
    """Return the release below a root in which `detect` found the layout."""
    pairs, notes = split_names.by_split(detect(folders, request), root=str(root))
    tally = passed_over.Tally(root, follow_links=request.follow_links)
    tables = tuple(_as_table(root, split, pair, tally) for split, pair in pairs.items())
    tally.add_rest(read=(), apart=image_folders.folders_of(pairs.values()))
    return base.Release(
        layout="npy", root=str(root), tables=tables, notes=notes, passed_over=tally.counts()
    )


def _as_table(
    root: storage.AnyPath, split: str, pair: image_folders.Pair, tally: passed_over.Tally
) -> base.Table:
    listed = image_folders.paired(str(root), pair, stem_of=_stem_of, tally=tally)
    return base.Table(
        layout="npy",
        split=split,
        subset="manual",
        path=pair.annotations,
        images=pair.images,
        parts=base.in_parts(listed.names),
        expected=EXPECTED.get(split, ()),
        digest=listed.digest,
    )


def _stem_of(name: str) -> str | None:
    matched = _NAME.fullmatch(name)
    if not matched:
        return None
    return matched[1]


def read(root: str, part: base.Part) -> Iterator[annotations.Row | annotations.Reject]:
    """Yield the rows and rejects of a part of a folder."""
    assert isinstance(part.range, base.Names)
    names = part.range.names
    kinds = (*FIELDS, LANDMARKS)
    files = [f"{image_folders.stem(name)}_{kind}.npy" for name in names for kind in kinds]
    contents = storage.contents(
        storage.path(root) / part.table.path, files, at_most=MAX_BYTES, within=part.within(root)
    )
    for name in names:
        place = image_folders.place_of(part.table, name, prefix=FOLDERS[part.table.split])
        # Not strict: `contents` goes on with the files of the next image.
        by_kind = dict(zip(kinds, contents, strict=False))
        yield annotations.settled(_row, place, f"{place.images}/{name}", name, by_kind, place)


def _row(
    name: str, by_kind: Mapping[str, bytes | OSError], place: annotations.Place
) -> annotations.Row | annotations.Reject:
    arrays = {
        kind: _load(content, f"{image_folders.stem(name)}_{kind}.npy")
        for kind, content in by_kind.items()
    }
    fields = {field: _scalar(arrays[kind], kind) for kind, field in FIELDS.items()}
    return annotations.parse({"path": name, **fields}, place, points=arrays[LANDMARKS])


def _load(content: bytes | OSError, name: str) -> np.ndarray:
    """Return the array of a file's content.

    Raises:
      annotations.InvalidExample: if the file cannot be read, or holds anything else.
    """
    try:
        if isinstance(content, OSError):
            raise content
        return parse_npy(content)
    except FileNotFoundError as error:
        detail = f"a picture must have exp, val, aro and lnd: {name} is not there"
        raise annotations.InvalidExample("no annotation", detail) from error
    # NumPy raises the others for a bad header.
    except (
        OSError,
        ValueError,
        TypeError,
        ArithmeticError,
        LookupError,
        RecursionError,
        MemoryError,  # Python's parser, for brackets in brackets.
        SyntaxError,
        tokenize.TokenError,
    ) as error:
        raise annotations.InvalidExample(
            "unreadable annotation", f"an annotation must be a plain npy array: {name}: {error}"
        ) from error


def parse_npy(content: bytes) -> np.ndarray:
    """Return the array of an npy file; pickled objects are never loaded.

    np.load was rejected: it parses the header of every file as Python, which takes longer than all
    the rest, though there are few different headers.

    Raises:
      ValueError: if it is no npy file, holds objects, or ends early.
    """
    length_bytes = 4  # of the field that holds the header's length; 2 in version 1 of the format
    if content[6:7] == b"\x01":
        length_bytes = 2
    start = 8 + length_bytes + int.from_bytes(content[8 : 8 + length_bytes], "little")
    dtype, shape, order = _header(content[:start])
    if any(side < 0 for side in shape):
        raise ValueError(f"its shape is {shape}")
    return np.frombuffer(content, dtype, math.prod(shape), start).reshape(shape, order=order)


@functools.lru_cache(maxsize=1024)
def _header(head: bytes) -> tuple[np.dtype, tuple[int, ...], Literal["C", "F"]]:
    """Parse an npy file's first bytes, up to the end of its header: type, shape, order."""
    file = io.BytesIO(head)
    if np.lib.format.read_magic(file) == (1, 0):
        shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(file)
    else:
        shape, is_fortran, dtype = np.lib.format.read_array_header_2_0(file)
    if dtype.hasobject:
        raise ValueError("it holds pickled objects")
    return dtype, shape, "F" if is_fortran else "C"


def _scalar(array: np.ndarray, kind: str) -> str:
    """Return the one value of an array as text; it may be text or a number, 0-d or 1-d."""
    if array.size != 1:
        detail = f"{kind} must be one value: got {array.size} of them"
        raise annotations.InvalidExample("unreadable annotation", detail)
    try:
        value = array.item()
    except (SystemError, ValueError, OverflowError) as error:  # Text of no known characters.
        raise annotations.InvalidExample(
            "unreadable annotation", f"{kind} must be one value: {error}"
        ) from error
    if isinstance(value, bytes):
        return value.decode("ascii", "replace")
    return str(value)
