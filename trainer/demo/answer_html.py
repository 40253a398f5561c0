"""The demo page's answer: the picture with its boxes, and a card a face.

Pictures stand in the markup itself, so that none is written to a disk to be shown.
"""

import io
from collections.abc import Sequence

import PIL.Image

import webpage.page
from affectnet_tfds import image_codec
from trainer.demo import timed_prediction
from trainer.inference import draw_boxes, face_classifier
from webpage import colours, markup
from webpage.markup import Content, Markup

_SHOWN_PX, _QUALITY = 1280, 90
_OTHER = "#7d8590"
"""Gray that is told from the paper of both themes."""

_NONE_FOUND = markup.joined(
    [
        "No face was found in this picture: try one that shows a face larger and from the front; for pictures that are "
        "face crops already, start the page with ",
        markup.element("code", "--detector=none"),
        ".",
    ]
)


def answer(looked: timed_prediction.TimedPrediction, *, names: Sequence[str]) -> Markup:
    """Say what was seen in a picture."""
    cards = [
        _card(number, face, of=len(looked.seen), names=names)
        for number, face in enumerate(looked.seen, start=1)
    ]
    return _answer(
        markup.element("p", _sentence(looked.seen, names=names), class_="sentence", role="status"),
        _picture(looked, names=names),
        webpage.page.note(_latency(looked)),
        markup.element("div", cards, class_="faces"),
    )


def refused(why: object) -> Markup:
    """Say why a picture cannot be looked at."""
    return _answer(
        markup.element("p", f"This picture cannot be read: {why}.", class_="sentence", role="alert")
    )


def waiting() -> Markup:
    """Say that nothing was given yet."""
    return _answer(
        webpage.page.note("What the model sees in a picture is shown here."), class_="answer empty"
    )


def _answer(*content: Content, class_: str = "answer") -> Markup:
    return markup.element("div", *content, class_=class_)


def _sentence(seen: Sequence[face_classifier.ClassifiedFace], *, names: Sequence[str]) -> Content:
    if not seen:
        return _NONE_FOUND
    if len(seen) > 1:
        return f"{len(seen)} faces, numbered from the largest."
    where = "One face" if seen[0].found.box else "The whole picture taken for a face"
    return f"{where}: {_verdict(seen[0], names=names)}."


def _verdict(face: face_classifier.ClassifiedFace, *, names: Sequence[str]) -> str:
    return f"{names[int(face.probabilities.argmax())]}, {face.probabilities.max():.0%}"


def _picture(looked: timed_prediction.TimedPrediction, *, names: Sequence[str]) -> Markup:
    drawn = draw_boxes.annotated(looked.shot, looked.seen, names=names)
    drawn.thumbnail((_SHOWN_PX, _SHOWN_PX), PIL.Image.Resampling.LANCZOS)
    content = io.BytesIO()
    drawn.save(content, "jpeg", quality=_QUALITY)
    count = len(looked.seen)
    said = (
        "no face was found"
        if not count
        else "one face"
        if count == 1
        else f"{count} numbered faces"
    )
    return markup.picture(
        content.getvalue(), alt=f"The picture that was given: {said}", class_="photo"
    )


def _card(
    number: int, face: face_classifier.ClassifiedFace, *, of: int, names: Sequence[str]
) -> Markup:
    title = (
        f"Face {number}: {_verdict(face, names=names)}"
        if of > 1
        else "Probability of each expression"
    )
    crop = markup.picture(
        image_codec.encode(face.cut.face), alt=f"Face {number} as it was cut out", class_="crop"
    )
    head = markup.element("div", crop, markup.element("h3", title), class_="title")
    return markup.element("section", head, _bars(face, names=names), _affect(face), class_="face")


def _bars(face: face_classifier.ClassifiedFace, *, names: Sequence[str]) -> Markup:
    best = int(face.probabilities.argmax())
    rows: list[tuple[Content, list[webpage.page.Bar]]] = []
    for number, (name, chance) in enumerate(
        zip(names, map(float, face.probabilities), strict=True)
    ):
        colour = colours.BLUE if number == best else _OTHER
        shown = markup.element("strong", name) if number == best else name
        rows.append((shown, [webpage.page.Bar(chance, f"{chance:.1%}", colour)]))
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
    left, width = 50 + 50 * min(value, 0.0), 50 * abs(value)
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


def _latency(looked: timed_prediction.TimedPrediction) -> str:
    width, height = looked.shot.size
    detector = f"detector {looked.detector_ms:,.0f} ms" if _was_searched(looked) else "no detector"
    network = f"network {looked.network_ms:,.0f} ms" if looked.seen else "network not asked"
    return f"Latency: {detector}, {network}. Picture: {width} × {height} pixels."


def _was_searched(looked: timed_prediction.TimedPrediction) -> bool:
    return not looked.seen or looked.seen[0].found.box is not None
