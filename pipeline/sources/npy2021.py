"""The npy release of 2021: train_set/images/N.jpg and train_set/annotations/N_{exp,val,aro,lnd}.npy.

Pictures are face crops already, so the whole picture is taken and landmarks are in its pixels. Ids have gaps and are
shared between the splits; a file name in the record therefore begins with the split's folder, as the release calls it.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pipeline import annotations
from pipeline.sources import base, listing, splits, tree

LOOKED_FOR = "train_set/annotations/*_exp.npy (2021)"

FOLDERS = {"train": "train_set/images", "validation": "val_set/images", "test": "test_set/images"}
EXPECTED = {"train": (287_651,), "validation": (3_999, 4_000)}
FIELDS = {"exp": "label", "val": "valence", "aro": "arousal", "lnd": "landmarks"}

_NAME = re.compile(r"(.+)_(?:exp|val|aro|lnd)\.npy")


def spot(folders: tuple[tree.Folder, ...], request: base.Request) -> dict[str, listing.Pair]:
    """Return the folders that hold pictures beside npy annotations."""
    found = listing.pairs_of(folders, images="images", annotations="annotations") if "manual" in request.subsets else {}
    with_npy = {folder.relative for folder in folders if ".npy" in folder.kinds}
    return {folder: pair for folder, pair in found.items() if pair.annotations in with_npy}


def find(root: Path, folders: tuple[tree.Folder, ...], request: base.Request) -> base.Release:
    """Return the release below a folder in which `spot` found something."""
    pairs, notes = splits.by_split(spot(folders, request), root=str(root))
    tables = tuple(_as_table(root, split, pair) for split, pair in pairs.items())
    return base.Release(layout="npy", root=str(root), tables=tables, notes=notes)


def _as_table(root: Path, split: str, pair: listing.Pair) -> base.Table:
    listed = listing.paired(str(root), pair, stem_of=_stem_of)
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
    return matched[1] if matched else None


def read(root: str, part: base.Part) -> Iterator[annotations.Row | annotations.Reject]:
    """Yield the rows and rejects of a part of a folder."""
    assert isinstance(part.range, base.Names)
    for name in part.range.names:
        place = listing.place_of(part.table, name, prefix=FOLDERS[part.table.split])
        try:
            fields = _fields(Path(root, part.table.path), listing.stem(name))
        except annotations.Defect as defect:
            yield listing.reject(place, name, defect.reason, str(defect))
            continue
        yield annotations.parse({"path": name, **fields}, place)


def _fields(folder: Path, stem: str) -> dict[str, str]:
    """Return the text fields of a picture's four files."""
    arrays = {kind: _load(folder / f"{stem}_{kind}.npy") for kind in FIELDS}
    return {FIELDS[kind]: _points(array) if kind == "lnd" else _scalar(array, kind) for kind, array in arrays.items()}


def _load(path: Path) -> np.ndarray:
    try:
        with path.open("rb") as file:
            # Not np.load, which also opens archives and pickles by what the file begins with.
            return np.lib.format.read_array(file, allow_pickle=False)
    except FileNotFoundError as error:
        detail = f"a picture must have exp, val, aro and lnd: {path.name} is not there"
        raise annotations.Defect("no annotation", detail) from error
    except (OSError, ValueError, EOFError, MemoryError) as error:
        detail = f"an annotation must be a plain npy array: {path.name}: {error}"
        raise annotations.Defect("unreadable annotation", detail) from error


def _scalar(array: np.ndarray, kind: str) -> str:
    """Return a value as text, whether it is 0-d or of one element, text or number."""
    if array.size != 1:
        detail = f"{kind} must be one value: got {array.size} of them"
        raise annotations.Defect("unreadable annotation", detail)
    value = array.item()
    return value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)


def _points(array: np.ndarray) -> str:
    """Return landmarks, flat or (68, 2), as text."""
    return ";".join(map(str, array.ravel().tolist()))
