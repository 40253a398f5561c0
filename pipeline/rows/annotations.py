"""Annotation rows: parses and validates the fields of one face into a `Row` or a `Reject`.

Every layout's reader hands its fields to `parse`, so that a rule holds for all layouts alike.
Bad values are rejected with a reason and never mended by guessing; the one exception is a missing
box where landmarks say where the face is (AffectNet's training.csv has such a row), which the
ledger counts.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, ParamSpec

import numpy as np

from affectnet_tfds import invalid_example, labels
from runtime import fields as fields_lib
from runtime import untrusted

NUM_LANDMARKS = 68

MOST_PX = 1_000_000
"""Largest coordinate, in pixels: no image format has such a side, and sums stay exact."""

LONGEST_PATH = 4096
"""Longest path, in characters (PATH_MAX of Linux)."""

_LONGEST_DETAIL = 500
_Arguments = ParamSpec("_Arguments")


class Row(NamedTuple):
    """One annotated face; boxes and landmarks are in pixels of the stored image (no EXIF rotation).

    Attributes:
      split: train, validation; or test, where a copy has one beside validation.
      subset: manual or automatic.
      path: image file, relative to the release's root.
      filename: name in the record: the same for every copy of a release, whatever its folders;
        bytes of the path that are no UTF-8 are written as \\xNN.
      label: AffectNet's code, 0..10.
      valence: in [-1, 1], NaN where there is none.
      arousal: like valence.
      box: x, y, width, height; None: the whole image.
      box_from: annotation, landmarks, picture; or fractions: an annotated box as fractions of the
        image size.
      landmarks: 68 (x, y) as little-endian float32, or empty.
      source: file and row number of the annotation.
      soft_label: AffectNet+: probability of each of the first 8 expressions.
      left_out: why the user's flags leave the row out, or "".
      groups: name and text of each attribute that the annotation has, of those asked for.
    """

    split: str
    subset: str
    path: str
    filename: str
    label: int
    valence: float
    arousal: float
    box: tuple[float, float, float, float] | None
    box_from: str
    landmarks: bytes
    source: str
    soft_label: tuple[float, ...] = ()
    left_out: str = ""
    groups: tuple[tuple[str, str], ...] = ()

    def __repr__(self) -> str:
        """Return the row as text: of one without attributes as it was before there were any.

        Shards are known by a digest of it, and an unfinished build continues with an update.
        """
        *fields, groups = self
        text = _AS_TEXT % tuple(fields)
        return f"{text}, groups={groups!r})" if groups else f"{text})"


_AS_TEXT = "Row(" + ", ".join(f"{name}=%r" for name in Row._fields if name != "groups")


class Reject(NamedTuple):
    """A row that cannot be used, and why."""

    split: str
    subset: str
    path: str
    label: int  # -1 where the label itself is bad
    reason: str  # a few words, the same for all rows of a kind: what the ledger counts
    detail: str  # the rule, the value
    source: str


InvalidExample = invalid_example.InvalidExample
"""Raised where a row breaks a rule; the same error that an invalid image raises."""


class Place(NamedTuple):
    """Source of a row, and what the layout knows of it before any of its fields is read."""

    split: str
    subset: str
    images: str  # folder of the images, relative to the release's root
    prefix: str  # of `Row.filename`
    source: str


def settled(
    read: Callable[_Arguments, Row | Reject],
    place: Place,
    path: str,
    *args: _Arguments.args,
    **kwargs: _Arguments.kwargs,
) -> Row | Reject:
    """Return what a layout's function makes of one row; whatever it raises is the row's reject.

    All layouts read each row through this: no row ends a build.

    Args:
      read: called with `args`; raises InvalidExample for a row that breaks a rule. Anything else
        that it raises is a defect of ours, and the reject says so and where it was raised.
      place: source of the row.
      path: image file, relative to the release's root, as far as it is known.
    """
    try:
        found = read(*args, **kwargs)
        if isinstance(found, Row):
            return found
        reason, detail, path, label = found.reason, found.detail, found.path, found.label
    except InvalidExample as fault:
        reason, detail, label = fault.reason, str(fault), -1
    except Exception as error:
        ours = invalid_example.of_defect(error)
        reason, detail, label = ours.reason, str(ours), -1
    if len(detail) > _LONGEST_DETAIL:
        detail = detail[:_LONGEST_DETAIL] + "…"
    return Reject(
        place.split, place.subset, path[:LONGEST_PATH], label, reason, detail, place.source
    )


def parse(
    fields: Mapping[str, str], place: Place, *, points: np.ndarray | None = None
) -> Row | Reject:
    """Turn the text fields of one row into a `Row`, or a `Reject` that names the first rule broken.

    Args:
      fields: path, label; and where the layout has them x, y, width, height, landmarks
        ("x1;y1;x2;…"), valence, arousal. "", NULL and nan mean that there is none.
      place: source of the row.
      points: landmarks of a layout that has them as numbers, in any shape; instead of the text.
    """
    label = -1
    try:
        path = relative_path(fields["path"])
        label = parse_label(fields["label"])
        landmarks = (
            parse_landmarks(fields.get("landmarks", "")) if points is None else as_landmarks(points)
        )
        box, box_from = parse_box([fields.get(k) for k in ("x", "y", "width", "height")], landmarks)
        values = [parse_affect(fields.get(name, ""), name) for name in ("valence", "arousal")]
    except InvalidExample as defect:
        return Reject(
            place.split,
            place.subset,
            fields["path"],
            label,
            defect.reason,
            str(defect),
            place.source,
        )
    return Row(
        split=place.split,
        subset=place.subset,
        path=f"{place.images}/{path}" if place.images else path,
        filename=untrusted.readable(f"{place.prefix}/{path}" if place.prefix else path),
        label=label,
        valence=values[0],
        arousal=values[1],
        box=box,
        box_from=box_from,
        landmarks=landmarks.astype("<f4").tobytes() if landmarks is not None else b"",
        source=place.source,
    )


LONGEST_GROUP = 100
"""Longest text of an attribute, in characters."""


def with_groups(row: Row | Reject, texts: Mapping[str, str]) -> Row | Reject:
    """Return a row with attributes; a word for none, such as NULL, is "".

    Args:
      row: as parsed; a reject stays as it is.
      texts: attributes as written, by name.
    """
    if isinstance(row, Reject) or not texts:
        return row
    groups = tuple((name, _group_text(text)) for name, text in sorted(texts.items()))
    return row._replace(groups=groups)


def _group_text(text: str) -> str:
    text = untrusted.readable(text.strip())
    if len(text) > LONGEST_GROUP:
        raise InvalidExample(
            "attribute too long",
            f"an attribute (--groups) may have {LONGEST_GROUP} characters: got {len(text):,}, "
            f"{text[:40]!r}…",
        )
    return "" if text.lower() in _NO_VALUE_WORDS else text


def relative_path(text: str) -> str:
    """Return a path with forward slashes that stays inside the folder it is relative to.

    Raises:
      InvalidExample: for an absolute path, one with "..", an empty one, and one that is too long.
    """
    if len(text) > LONGEST_PATH:
        raise InvalidExample(
            "file name too long",
            f"a path may have {LONGEST_PATH:,} characters: got {len(text):,}, {text[:40]!r}…",
        )
    path = text.strip().replace("\\", "/")
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if not parts:
        raise InvalidExample("no file name", "the row must name a picture: got an empty path")
    if path.startswith("/") or ".." in parts or ":" in parts[0] or "\0" in path:
        raise InvalidExample(
            "path leaves the release", f"a path must stay inside its folder: got {text!r}"
        )
    return "/".join(parts)


def parse_label(text: str) -> int:
    """Return AffectNet's code, 0..10."""
    value = number(text)
    if value is None or value not in range(len(labels.EXPRESSIONS)):
        raise InvalidExample("bad label", f"label must be 0..10: got {text.strip()!r}")
    return int(value)


_NO_VALUE_WORDS = frozenset({"", "null", "nan", "none", "na", "n/a", "<na>"})
"""What lists write where there is no number, in lower case."""


def parse_affect(text: str, name: str) -> float:
    """Return valence or arousal in [-1, 1], or NaN where there is none (AffectNet writes -2).

    Raises:
      InvalidExample: for a number out of range, and for text that is neither a number nor a word
        for none, such as 0,5 or inf.
    """
    if text.strip().lower() in _NO_VALUE_WORDS:
        return math.nan
    value = number(text)
    if value is None:
        raise InvalidExample(
            f"bad {name}",
            f"{name} must be a number with a point, as 0.5, or empty: got {text.strip()[:40]!r}",
        )
    if value == labels.NO_VALUE:
        return math.nan
    if not -1 <= value <= 1:
        raise InvalidExample(
            f"bad {name}", f"{name} must be in [-1, 1], or -2 for none: got {text.strip()}"
        )
    return value


def parse_landmarks(text: str) -> np.ndarray | None:
    """Return float32[68, 2] (x, y), or None unless `text` is 136 finite numbers joined by ";"."""
    parts = text.split(";")
    if len(parts) < 2 * NUM_LANDMARKS or not fields_lib.is_plain(text):
        return None
    try:
        return as_landmarks(np.array(parts, dtype=np.float32))
    except ValueError:
        return None


def as_landmarks(points: np.ndarray) -> np.ndarray | None:
    """Return float32[68, 2] (x, y), or None unless there are 136 numbers within MOST_PX."""
    if (
        points.size != 2 * NUM_LANDMARKS
        or points.dtype.kind not in "fiu"
        or not (np.abs(points.astype(np.float64)) <= MOST_PX).all()  # No NaN either.
    ):
        return None
    return points.reshape(NUM_LANDMARKS, 2).astype(np.float32)


Box = tuple[float, float, float, float]


def parse_box(texts: Sequence[str | None], landmarks: np.ndarray | None) -> tuple[Box | None, str]:
    """Return the box (x, y, width, height) and what it is from: annotation, landmarks or picture.

    A layout without boxes (every text None) holds images that are face crops already: the whole
    image is taken. A box that is NULL, or has no positive size, falls back to the landmarks'
    bounding box.
    """
    if all(text is None for text in texts):
        return None, "picture"
    numbers = [number(text or "") for text in texts]
    x, y, width, height = numbers
    if (
        x is not None
        and y is not None
        and width is not None
        and height is not None
        and min(width, height) > 0
    ):
        if max(abs(x), abs(y), width, height) > MOST_PX:
            got = f"{x:g}, {y:g}, {width:g}, {height:g}"
            raise InvalidExample("bad box", f"a box must be within {MOST_PX:,} pixels: got {got}")
        return (x, y, width, height), "annotation"
    if landmarks is not None:
        return bounding_box(landmarks), "landmarks"
    given = ", ".join((text or "").strip() or "nothing" for text in texts)
    raise InvalidExample(
        "no face box", f"a row needs a box of positive size, or 68 landmarks: got {given}"
    )


def bounding_box(points: np.ndarray) -> Box:
    """Return (x, y, width, height) of float[N, 2] points."""
    low, high = points.min(axis=0), points.max(axis=0)
    return float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1])


def points_of(row: Row) -> np.ndarray | None:
    """Return the row's landmarks as float32[68, 2] (x, y) in pixels of the image, or None."""
    if not row.landmarks:
        return None
    return np.frombuffer(row.landmarks, dtype="<f4").reshape(NUM_LANDMARKS, 2)


def number(text: str) -> float | None:
    """Return a finite number, or None for "", NULL, nan, 4_0 and other text."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and fields_lib.is_plain(text) else None
