"""Inputs of the demo page beside Gradio's: sample pictures to choose, and the live camera."""

from collections.abc import Sequence
from importlib import resources

from trainer.demo import samples
from webpage import markup
from webpage.markup import Markup

_SIDE = 64
"""Side at which a sample is shown, in pixels."""


def sample_buttons(shown: Sequence[samples.Sample]) -> Markup:
    """Return a button for each sample picture."""
    buttons = [
        markup.element(
            "button",
            markup.image(sample.jpeg, alt=f"drawn face: {sample.name}", width=_SIDE, height=_SIDE),
            type="button",
            title=sample.name,
            data_sample=True,
        )
        for sample in shown
    ]
    return markup.element(
        "div",
        markup.element("p", "Or try a drawn face:", class_="note"),
        markup.element("div", buttons, class_="samples"),
        id="samples",
    )


def live_camera() -> Markup:
    """Return the button of the live camera, its picture, and the place for why there is none."""
    return markup.element(
        "div",
        markup.element(
            "video", id="live-video", muted=True, playsinline=True, aria_label="Live camera"
        ),
        markup.element("button", "Start the live camera", id="live-start", type="button"),
        markup.element("p", id="camera-refused", role="alert"),
        class_="live",
    )


def script() -> str:
    """Return the script that both need, as an element of the page's head."""
    text = resources.files("trainer.demo").joinpath("page.js").read_text(encoding="utf-8")
    # Our own file; a script is not escaped as HTML.
    return str(markup.element("script", Markup(text)))
