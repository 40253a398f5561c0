"""Detector file: a face detector of others, an ONNX or TFLite file, run on the CPU.

Owns three families, told apart by their outputs: YuNet (cls_8, obj_8, bbox_8, kps_8 and the same of
16 and 32), BlazeFace (regressors and classificators of 896 anchors), and any file with `boxes`
(corners x1, y1, x2, y2 as fractions of the input, [1, N, 4]) and `scores` ([1, N] or [1, N, 2], the
face last), as UltraFace has. Each is given pixels as its authors give them. Guessing at other
outputs was rejected: boxes would be silently wrong.
"""

import math
import pathlib
from collections.abc import Callable, Mapping
from typing import NamedTuple

import cv2
import numpy as np

from runtime import errors
from trainer.inference import detected_face, images, model_runtime

MIN_CONFIDENCE = 0.7

_SIDE, _STEP = 640, 32
"""Longest side, and what sides are multiples of, where a file takes any size."""
_NMS_IOU = 0.3
_STRIDES = (8, 16, 32)
_ANCHORS = ((16, 2), (8, 6))
"""Cells a side, and anchors a cell, of BlazeFace's two maps."""

Outputs = Mapping[str, np.ndarray]


class Raw(NamedTuple):
    """What a detector says before overlapping boxes are merged, in pixels of its input."""

    boxes: np.ndarray  # float[N, 4]: x, y, width, height
    confidence: np.ndarray  # float[N]
    points: np.ndarray | None = None  # float[N, 5, 2]


class Family(NamedTuple):
    """How detectors of a family are given pixels, and how their outputs are read."""

    mean: float
    scale: float
    is_bgr: bool
    read: Callable[[Outputs, tuple[int, int]], Raw]


def detector(path: pathlib.Path, *, min_confidence: float) -> detected_face.Detector:
    """Return the detector of a file.

    Raises:
      errors.UserError: if it cannot be read, or is of no known family.
    """
    with model_runtime.refusing(path, to="read"):
        opened = model_runtime.OPENERS[path.suffix.lower()](path)
    family = _family(opened.outputs, path=path)
    channels_first = _channels_first(opened.shape, path=path)

    def detect(image: images.InputImage) -> list[detected_face.DetectedFace]:
        sides = opened.shape[2:] if channels_first else opened.shape[1:3]
        height, width = _input_size(sides, image_size=image.size)
        pixels, scale = _fitted(image, size=(width, height))
        pixels = pixels[:, :, ::-1] if family.is_bgr else pixels
        batch = ((pixels.astype(np.float32) - family.mean) * family.scale)[None]
        outputs = opened.all_outputs(batch.transpose(0, 3, 1, 2) if channels_first else batch)
        with model_runtime.refusing(path, to="read the outputs of"):
            raw = family.read(outputs, (width, height))
        return _merged(raw, scale=scale, min_confidence=min_confidence)

    return detect


def _channels_first(shape: tuple[int | None, ...], *, path: pathlib.Path) -> bool:
    if len(shape) == 4 and 3 in (shape[1], shape[3]):
        return shape[1] == 3
    raise errors.UserError(f"{path} takes {shape}, and images are [1, 3, H, W] or [1, H, W, 3]")


def _family(names: tuple[str, ...], *, path: pathlib.Path) -> Family:
    """Return the family of a file's outputs."""
    if {f"{kind}_{stride}" for kind in ("cls", "obj", "bbox", "kps") for stride in _STRIDES} <= set(
        names
    ):
        return Family(0, 1, is_bgr=True, read=_yunet)
    if {"boxes", "scores"} <= set(names):
        return Family(127, 1 / 128, is_bgr=False, read=_boxes_and_scores)
    if {"regressors", "classificators"} <= set(names):
        return Family(127.5, 1 / 127.5, is_bgr=False, read=_blazeface)
    raise errors.UserError(
        f"{path} has the outputs {', '.join(names):.200}: known are those of YuNet (cls_8 ...), of "
        "BlazeFace (regressors, classificators), and boxes with scores; for another detector, give "
        "its boxes as --detector=boxes.csv"
    )


def _input_size(sides: tuple[int | None, ...], *, image_size: tuple[int, int]) -> tuple[int, int]:
    """Return height and width of a file's input; of any size, the image's, 640 at most."""
    width, height = image_size
    scale = min(1.0, _SIDE / max(width, height))
    free = [max(_STEP, math.ceil(side * scale / _STEP) * _STEP) for side in (height, width)]
    return sides[0] or free[0], sides[1] or free[1]


def _fitted(image: images.InputImage, *, size: tuple[int, int]) -> tuple[np.ndarray, float]:
    """Return the image, black to the right of it or below, and its pixels for one of these."""
    scale = max(image.size[0] / size[0], image.size[1] / size[1])
    inner = tuple(
        max(1, min(most, round(side / scale))) for side, most in zip(image.size, size, strict=True)
    )
    pixels = image.shrunk(4 * size[0] * size[1])
    filled = np.zeros((size[1], size[0], 3), np.uint8)
    filled[: inner[1], : inner[0]] = cv2.resize(pixels, inner, interpolation=cv2.INTER_AREA)
    return filled, scale


def _merged(raw: Raw, *, scale: float, min_confidence: float) -> list[detected_face.DetectedFace]:
    """Return the faces in pixels of the image, of those that overlap the most confident one."""
    kept = cv2.dnn.NMSBoxes(
        raw.boxes.astype(float).tolist(),
        raw.confidence.astype(float).tolist(),
        min_confidence,
        _NMS_IOU,
    )
    return [
        detected_face.DetectedFace(
            box=tuple(float(value) * scale for value in raw.boxes[i]),  # type: ignore[arg-type]
            points=None if raw.points is None else (raw.points[i] * scale).astype(np.float32),
            confidence=min(float(raw.confidence[i]), 1.0),
        )
        for i in np.asarray(kept, int).ravel()
    ]


def _yunet(outputs: Outputs, size: tuple[int, int]) -> Raw:
    parts = []
    for stride in _STRIDES:
        columns, rows = size[0] // stride, size[1] // stride
        cell = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=2).reshape(-1, 2)
        classes, objects, box, points = (
            outputs[f"{kind}_{stride}"].reshape(len(cell), -1)
            for kind in ("cls", "obj", "bbox", "kps")
        )
        confidence = np.sqrt(np.clip(classes, 0, 1) * np.clip(objects, 0, 1))[:, 0]
        sides = np.exp(box[:, 2:]) * stride
        corner = (cell + box[:, :2]) * stride - sides / 2
        places = (points.reshape(-1, 5, 2) + cell[:, None]) * stride
        parts.append((np.concatenate([corner, sides], axis=1), confidence, places))
    boxes, confidences, all_points = (np.concatenate(each) for each in zip(*parts, strict=True))
    return Raw(boxes, confidences, all_points)


def _boxes_and_scores(outputs: Outputs, size: tuple[int, int]) -> Raw:
    corners = outputs["boxes"].reshape(-1, 4) * np.array([*size, *size])
    scores = outputs["scores"].reshape(len(corners), -1)[:, -1]
    return Raw(np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1), scores)


def _blazeface(outputs: Outputs, size: tuple[int, int]) -> Raw:
    logits = outputs["classificators"].reshape(-1)
    numbers = outputs["regressors"].reshape(len(logits), 16)[:, :4]
    centres = _anchors(size) + numbers[:, :2]
    sides = numbers[:, 2:]
    confidence = 1 / (1 + np.exp(-np.clip(logits, -80, 80)))
    return Raw(np.concatenate([centres - sides / 2, sides], axis=1), confidence)


def _anchors(size: tuple[int, int]) -> np.ndarray:
    """Return the centres of BlazeFace's anchors in pixels of the input, float[N, 2]."""
    centres = []
    for cells, repeats in _ANCHORS:
        xs, ys = ((np.arange(cells) + 0.5) * side / cells for side in size)
        grid = np.stack(np.meshgrid(xs, ys), axis=2).reshape(-1, 2)
        centres.append(np.repeat(grid, repeats, axis=0))
    return np.concatenate(centres)
