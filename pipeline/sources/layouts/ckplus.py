"""Layout of CK+: cohn-kanade-images/S005/001/*.png and one label for each sequence of frames.

A sequence goes from a neutral face to the peak of an expression. As is usual, its last three frames
have its label and its first is neutral; the frames between, and the sequences that have no label,
are passed over and counted. The face is where the 68 landmarks are; without the folder Landmarks
the whole image is taken. There are no splits: --validation_frac makes one, by subject.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from pipeline.files import storage
from pipeline.rows import annotations
from pipeline.sources import base, folder_walk, image_folders, passed_over

LOOKED_FOR = "cohn-kanade-images with Emotion (CK+)"

CODES = (0, 6, 7, 5, 4, 1, 2, 3)
"""AffectNet's codes of neutral, anger, contempt, disgust, fear, happy, sad and surprise."""

NUM_PEAK = 3
PREFIX = "cohn-kanade-images"
"""First part of file names in the record, for every copy."""

_SUBJECT = re.compile(r"S\d+")
_FIRST = re.compile(r"_0*1\.\w+$")
_FRAME = re.compile(r"S\d+_\d+_\d+\.\w+")


class Reading(NamedTuple):
    """Settings for reading the frames."""

    labels: tuple[tuple[str, str], ...]  # frame → AffectNet's code, or what is there instead
    landmarks: str  # their folder, or ""


class _Folders(NamedTuple):
    """Folders of the layout, relative to the root."""

    images: str
    emotions: str
    landmarks: str


def detect(folders: tuple[folder_walk.Folder, ...], request: base.Request) -> _Folders | None:
    """Return the folders of images and labels."""
    if "manual" not in request.subsets:
        return None
    images, emotions, landmarks = (
        _holding_sequences(folders, name) for name in ("cohnkanadeimages", "emotion", "landmarks")
    )
    if not images or not emotions:
        return None
    return _Folders(images, emotions, landmarks)


def _holding_sequences(folders: tuple[folder_walk.Folder, ...], name: str) -> str:
    """Return the folder whose name begins so and that has folders such as S005; "" for none.

    Each of the data set's archives may have been unpacked into a folder of its own.
    """
    return next(
        (
            folder.relative
            for folder in folders
            if folder.relative
            and name in folder_walk.normalised(folder.name)
            and any(map(_SUBJECT.fullmatch, folder.folders))
        ),
        "",
    )


def find_release(
    root: storage.AnyPath, folders: tuple[folder_walk.Folder, ...], request: base.Request
) -> base.Release:
    """Return the release below a root in which `detect` found the layout."""
    there = detect(folders, request)
    assert there
    tally = passed_over.Tally(root, follow_links=request.follow_links)
    labels = _labelled(root, there, tally)
    tally.add_rest(read=(), apart=[folder for folder in there if folder])
    names = sorted(labels)
    reading = Reading(tuple((name, labels[name]) for name in names), there.landmarks)
    table = base.Table(
        layout="ckplus",
        split="train",
        subset="manual",
        path=there.emotions,
        images=there.images,
        parts=base.in_parts(names),
        expected=(1_308,),
        digest=image_folders.digest([f"{name}\0{label}" for name, label in labels.items()]),
        reading=reading,
    )
    return base.Release(
        layout="ckplus",
        root=str(root),
        tables=(table,),
        notes=(base.no_splits("CK+", by="subject"),),
        data="CK+",
        passed_over=tally.counts(),
    )


def _labelled(root: storage.AnyPath, there: _Folders, tally: passed_over.Tally) -> dict[str, str]:
    """Return frame, relative to the images → label as text, in the order of the names."""
    emotions = {
        path[len(there.emotions) + 1 :].rpartition("/")[0]: path
        for path in sorted(tally.files_below(there.emotions))
        if path.endswith("_emotion.txt")
    }
    contents = storage.contents(root, emotions.values(), within=tally.within)
    codes = {name: _label(content) for name, content in zip(emotions, contents, strict=True)}
    sequences: dict[str, list[str]] = {}
    for path in tally.files_below(there.images):
        sequence, _, name = path[len(there.images) + 1 :].rpartition("/")
        if _FRAME.fullmatch(name) and tally.is_image(path):
            sequences.setdefault(sequence, []).append(name)
        else:
            tally.add(path)
    labels: dict[str, str] = {}
    for sequence, frames in sorted(sequences.items()):
        label = codes.get(sequence)
        of_frames = _of_frames(sorted(frames), label)
        labels |= {f"{sequence}/{frame}": text for frame, text in of_frames.items()}
        kind = "frames between the first and the peak" if label else "frames without a label"
        for frame in set(frames) - set(of_frames):
            tally.add(f"{there.images}/{sequence}/{frame}", kind=kind)
    return labels


def _of_frames(frames: list[str], label: str | None) -> dict[str, str]:
    """Return frame → label: neutral for number 1, the sequence's own for the last three others."""
    if label is None:
        return {}
    neutral = [frame for frame in frames if _FIRST.search(frame)]
    peak = [frame for frame in frames if frame not in neutral][-NUM_PEAK:]
    return {**dict.fromkeys(neutral, str(CODES[0])), **dict.fromkeys(peak, label)}


_BAD = f"an emotion of CK+ must be 0..{len(CODES) - 1}: got "
"""How what stands for a label begins where a file has none."""


def _label(content: bytes | OSError) -> str:
    """Return AffectNet's code of a file that has `3.0000000e+00`; of another, a sentence."""
    if isinstance(content, OSError):
        return f"{_BAD}an unreadable file ({content.strerror})"
    text = " ".join(content.decode("utf-8", "replace").split())
    try:
        return str(CODES[(0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0).index(float(text))])
    except ValueError:
        return f"{_BAD}{text[:40]!r}"


def subject(path: str) -> str:
    """Return the subject of a frame's path: S005 of …/S005_001_00000011.png."""
    return path.rpartition("/")[2].partition("_")[0]


def read(root: str, part: base.Part) -> Iterator[annotations.Row | annotations.Reject]:
    """Yield the rows of a part of the frames."""
    table = part.table
    assert isinstance(part.range, base.Names) and isinstance(table.reading, Reading)
    labels = dict(table.reading.labels)
    names = part.range.names
    for name, points in zip(names, _landmarks(root, part, names), strict=True):
        place = image_folders.place_of(table, name, prefix=PREFIX)
        yield annotations.settled(
            _row, place, f"{place.images}/{name}", name, labels, points, place
        )


def _row(
    name: str, labels: Mapping[str, str], points: np.ndarray, place: annotations.Place
) -> annotations.Row | annotations.Reject:
    if (label := labels[name]).startswith(_BAD):
        raise annotations.InvalidExample("bad label", label)
    fields = {"path": name, "label": label}
    if points.size:
        fields["x"] = ""  # No box of its own: that of the landmarks.
    return annotations.parse(fields, place, points=points)


def _landmarks(root: str, part: base.Part, names: Sequence[str]) -> Iterator[np.ndarray]:
    """Yield float[68, 2] (x, y) for each frame; empty where there are none that can be read."""
    folder = part.table.reading.landmarks
    if not folder:
        yield from (np.empty(0) for _ in names)
        return
    files = [f"{image_folders.stem(name)}_landmarks.txt" for name in names]
    for content in storage.contents(storage.path(root) / folder, files, within=part.within(root)):
        try:
            text = b"" if isinstance(content, OSError) else content
            points = np.array([float(number) for number in text.split()])
        except ValueError:
            points = np.empty(0)
        yield points if annotations.as_landmarks(points) is not None else np.empty(0)
