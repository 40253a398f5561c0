"""Answer of the demo page: the image with its boxes, and for each face its probabilities.

Images are embedded in the markup, so that none is written to a disk to be shown.
"""

import io
import json
from collections.abc import Sequence

import numpy as np
import PIL.Image

import webpage.page
from affectnet_tfds import image_codec
from trainer.demo import timed_prediction
from trainer.inference import draw_boxes, face_classifier, prediction_rows
from webpage import colours, markup
from webpage.markup import Content, Markup

_SHOWN_PX = 1280
_JPEG_QUALITY = 90
_OTHER = "#7d8590"
"""Gray that contrasts with the background of both themes."""

_OF_FILES = ("file", "time_s", "person")
"""What an upload has not."""

_COPY = (
    "navigator.clipboard.writeText(this.nextElementSibling.textContent)"
    ".then(() => { this.textContent = 'Copied'; })"
)

_NO_FACE = markup.joined(
    [
        "No face was found in this image: try one that shows a face larger and from the front; for "
        "images that are face crops already, start the page with ",
        markup.element("code", "--detector=none"),
        ".",
    ]
)


def answer(prediction: timed_prediction.TimedPrediction, *, names: Sequence[str]) -> Markup:
    """Return the answer to an image."""
    faces = prediction.faces
    pictures = [*prediction.explained, *[None] * (len(faces) - len(prediction.explained))]
    cards = [
        _card(number, face, num_faces=len(faces), names=names, explained=picture)
        for number, (face, picture) in enumerate(zip(faces, pictures, strict=True), start=1)
    ]
    return _answer(
        markup.element("p", _sentence(faces, names=names), class_="sentence", role="status"),
        _annotated(prediction, names=names),
        webpage.page.note(_latency(prediction)),
        markup.element("div", cards, class_="faces"),
        _as_json(faces, names=names),
    )


def refused(reason: object) -> Markup:
    """Return the answer to an image that cannot be read."""
    sentence = f"Cannot read this image: {reason}."
    return _answer(markup.element("p", sentence, class_="sentence", role="alert"))


def waiting() -> Markup:
    """Return what is shown before the first image."""
    note = webpage.page.note("The faces of your image and their probabilities are shown here.")
    return _answer(note, class_="answer empty")


def _answer(*content: Content, class_: str = "answer") -> Markup:
    return markup.element("div", *content, class_=class_)


def _sentence(faces: Sequence[face_classifier.ClassifiedFace], *, names: Sequence[str]) -> Content:
    if not faces:
        return _NO_FACE
    if len(faces) > 1:
        return f"{len(faces)} faces, numbered from the largest."
    source = "One face" if faces[0].detected.box else "The whole image taken as one face"
    return f"{source}: {_top_class(faces[0], names=names)}."


def _top_class(face: face_classifier.ClassifiedFace, *, names: Sequence[str]) -> str:
    return f"{names[int(face.probabilities.argmax())]}, {face.probabilities.max():.0%}"


def _annotated(prediction: timed_prediction.TimedPrediction, *, names: Sequence[str]) -> Markup:
    faces = prediction.faces
    drawing = draw_boxes.annotated(prediction.image, faces, names=names)
    drawing.thumbnail((_SHOWN_PX, _SHOWN_PX), PIL.Image.Resampling.LANCZOS)
    content = io.BytesIO()
    drawing.save(content, "jpeg", quality=_JPEG_QUALITY)
    counts = {0: "no face was found", 1: "one face"}
    shown = counts.get(len(faces), f"{len(faces)} numbered faces")
    return markup.image(content.getvalue(), alt=f"The uploaded image: {shown}", class_="photo")


def _card(
    number: int,
    face: face_classifier.ClassifiedFace,
    *,
    num_faces: int,
    names: Sequence[str],
    explained: np.ndarray | None,
) -> Markup:
    title = "Probability of each expression"
    if num_faces > 1:
        title = f"Face {number}: {_top_class(face, names=names)}"
    content = image_codec.encode(face.crop)
    crop = markup.image(content, alt=f"Crop of face {number}", class_="crop")
    head = markup.element("div", crop, markup.element("h3", title), class_="title")
    if explained is not None:
        top = names[int(face.probabilities.argmax())]
        picture = markup.image(
            image_codec.encode(explained), alt=f"What spoke for {top}", class_="crop"
        )
        said = markup.element("span", f"Orange: what spoke for {top}")
        explanation = markup.element("div", picture, said, class_="title")
        head = markup.joined([head, explanation])
    return markup.element("section", head, _bars(face, names=names), _affect(face), class_="face")


def _bars(face: face_classifier.ClassifiedFace, *, names: Sequence[str]) -> Markup:
    top = int(face.probabilities.argmax())
    rows: list[tuple[Content, list[webpage.page.Bar]]] = []
    for label, (name, prob) in enumerate(zip(names, map(float, face.probabilities), strict=True)):
        is_top = label == top
        bar = webpage.page.Bar(prob, f"{prob:.1%}", colours.BLUE if is_top else _OTHER)
        rows.append((markup.element("strong", name) if is_top else name, [bar]))
    return webpage.page.bars(rows)


def _affect(face: face_classifier.ClassifiedFace) -> Markup | None:
    if face.affect is None:
        return None
    valence, arousal = face.affect
    return markup.element(
        "div",
        _scale("valence", valence, low="unpleasant", high="pleasant"),
        _scale("arousal", arousal, low="calm", high="excited"),
        class_="affect",
    )


def _scale(name: str, value: float, *, low: str, high: str) -> Markup:
    """Return a value in -1..1 as a bar from the middle of a line."""
    left = 50 + 50 * min(value, 0.0)
    width = 50 * abs(value)
    bar = markup.element(
        "i", style=f"left: {left:.2f}%; width: {width:.2f}%; background: {colours.BLUE}"
    )
    ends = markup.element(
        "div",
        markup.element("small", f"−1 {low}"),
        markup.element("small", f"{high} +1"),
        class_="ends",
    )
    return markup.element(
        "div",
        markup.element("span", name),
        markup.element("div", markup.element("div", bar, class_="line"), ends, class_="scale"),
        markup.element("b", f"{value:+.2f}".replace("-", "−")),
        class_="row",
    )


def _as_json(faces: Sequence[face_classifier.ClassifiedFace], *, names: Sequence[str]) -> Markup:
    """Return the answer as `trainer.predict --json` gives it, folded, with a button to copy it."""
    rows = [
        {key: value for key, value in row.items() if key not in _OF_FILES}
        for row in prediction_rows.of_faces(faces, names=names)
    ]
    button = markup.element("button", "Copy as JSON", type="button", onclick=_COPY)
    text = markup.element("pre", json.dumps(rows, indent=2))
    return markup.element(
        "details", markup.element("summary", "As JSON"), button, text, class_="json"
    )


def _latency(prediction: timed_prediction.TimedPrediction) -> str:
    width, height = prediction.image.size
    timings = prediction.timings
    faces = prediction.faces
    is_detected = not faces or faces[0].detected.box is not None
    detector = f"detector {timings.detector_ms:,.0f} ms" if is_detected else "no detector"
    network = f"network {timings.network_ms:,.0f} ms" if faces else "network not run"
    return f"Latency: {detector}, {network}. Image: {width} × {height} pixels."
