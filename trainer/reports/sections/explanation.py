"""Explanation section: for the most confident mistakes, what spoke for the answer and the label.

Owns how they are shown; the maps are explain.class_activation's.
"""

from collections.abc import Callable

import numpy as np
import simplejpeg

import webpage.page
from trainer.evaluation import predictions
from trainer.explain import overlay
from webpage import markup

Explain = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""From the indices of examples of a split, int64[K], and classes, int64[K], to the pictures of what
spoke for each class in each: uint8[K, S, S, 3]."""

_JPEG_QUALITY = 80
_SIDE_PX = 96
_NOTE = (
    "Orange is what spoke for a class in the network's last map (HiResCAM, Draelos and Carin "
    "2020), each map by its own strongest place: left for the class that was predicted, right for "
    "the label. It shows where the features are that were counted, not why they were, and a map "
    "of few places is coarse. Of several views of an image (--tta) the middle one is explained."
)


def section(
    preds: predictions.Predictions, *, mistakes: np.ndarray, explain: Explain | str
) -> list[markup.Content]:
    """Return the section of the page.

    Args:
      preds: of the split.
      mistakes: indices of the examples to explain, int64[K].
      explain: makes the pictures; or why there are none.
    """
    if isinstance(explain, str):
        return [markup.element("p", explain)]
    if not len(mistakes):
        return [markup.element("p", "None: every example was predicted correctly.")]
    of_answer = explain(mistakes, preds.predicted[mistakes])
    of_label = explain(mistakes, preds.labels[mistakes])
    shown = [
        _example(preds, index, pictures=(answer, label))
        for index, answer, label in zip(mistakes.tolist(), of_answer, of_label, strict=True)
    ]
    gallery = markup.element("div", shown, class_="grid small")
    return [webpage.page.note(_NOTE), gallery]


def _example(
    preds: predictions.Predictions, index: int, *, pictures: tuple[np.ndarray, np.ndarray]
) -> markup.Markup:
    classes = (preds.class_names[preds.predicted[index]], preds.class_names[preds.labels[index]])
    cells = [
        markup.element("td", _picture(picture, name=name), markup.element("small", f"for {name}"))
        for picture, name in zip(pictures, classes, strict=True)
    ]
    caption = f"{classes[1]} → {classes[0]}, {preds.confidence[index]:.0%}"
    return markup.element(
        "figure",
        markup.element("table", markup.element("tr", cells)),
        markup.element("p", caption, class_="prediction"),
        title=str(preds.filenames[index]),
    )


def _picture(pixels: np.ndarray, *, name: str) -> markup.Markup:
    jpeg = simplejpeg.encode_jpeg(
        np.ascontiguousarray(pixels), quality=_JPEG_QUALITY, colorspace="RGB"
    )
    return markup.image(jpeg, alt=f"What spoke for {name}", width=_SIDE_PX, height=_SIDE_PX)


def pictures(images: np.ndarray, evidence: np.ndarray) -> np.ndarray:
    """Return images, uint8[K, N, N, 3], with their evidence, float[K, N, N], over them."""
    return np.stack([overlay.over(*pair) for pair in zip(images, evidence, strict=True)])
