"""The demo page in Gradio: what stands where, and what happens when a picture is given."""

import json
import pathlib
from collections.abc import Callable, Mapping
from importlib import resources
from typing import Any

import fastapi
import gradio
from starlette.middleware import trustedhost

from trainer.demo import answer_html, local_server
from trainer.run import trained_run
from webpage import markup
from webpage.markup import Markup

TITLE = "What expression does the model see?"
MAX_UPLOAD = "50mb"
_KEPT_S = 60
"""How long Gradio keeps an upload that nobody asked about."""

_LIMITS = (
    "An expression is not an emotion: the model names what annotators would call the expression in a picture, not what "
    "a person feels, and it errs more on people, poses and light that its data hold few of."
)
_KEPT = "Pictures stay on this machine, and are removed once they have been looked at."
_DRAWN = "This model was trained on drawn faces, not on photographs: of people it knows nothing."

Answer = Callable[[str], Markup]
"""From the path of an upload to what is said of it."""


def mounted(run: trained_run.Run, *, detector: str, answer: Answer) -> fastapi.FastAPI:
    """Return the page as an application for a server.

    Args:
      run: the model's.
      detector: the name of what finds faces.
      answer: called for one upload at a time.
    """
    app = fastapi.FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(trustedhost.TrustedHostMiddleware, allowed_hosts=list(local_server.NAMES))
    return gradio.mount_gradio_app(
        app,
        _blocks(run, detector=detector, answer=answer),
        path="/",
        server_name=local_server.HOST,
        footer_links=[],
        run_history=False,
        max_file_size=MAX_UPLOAD,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        theme=_theme(),
        css=resources.files("trainer.demo").joinpath("page.css").read_text(encoding="utf-8"),
        show_error=False,
    )


def _blocks(run: trained_run.Run, *, detector: str, answer: Answer) -> gradio.Blocks:
    with gradio.Blocks(
        title=TITLE, analytics_enabled=False, delete_cache=(_KEPT_S, _KEPT_S)
    ) as blocks:
        gradio.HTML(_head(run, detector=detector), apply_default_css=False)
        with gradio.Row():
            with gradio.Column(scale=2, min_width=300):
                picture = gradio.Image(
                    label="Picture", sources=["upload", "webcam"], type="filepath", buttons=[], height=320,
                    webcam_options=gradio.WebcamOptions(mirror=False), elem_id="picture",
                )  # fmt: skip
                gradio.HTML(_said(_KEPT, class_="note"), apply_default_css=False)
            with gradio.Column(scale=3, min_width=300):
                shown = gradio.HTML(
                    str(answer_html.waiting()), elem_id="answer", apply_default_css=False
                )
        gradio.HTML(_said(_LIMITS, class_="note limits"), apply_default_css=False)

        def look(given: Mapping[str, Any] | None) -> tuple[object, object]:
            if given is None:  # Changing from file to camera says this.
                return gradio.skip(), gradio.skip()
            return None, str(answer(given["path"]))

        picture.input(
            look, picture, [picture, shown], preprocess=False, api_visibility="private", concurrency_limit=1,
            show_progress="full", show_progress_on=shown,
        )  # fmt: skip
    return blocks


def _head(run: trained_run.Run, *, detector: str) -> str:
    found = {
        "mtcnn": "Faces are found by MTCNN, cut out as the training data were",
        "none": "Each picture is taken whole, as a face crop",
    }
    settings = run.settings.model
    about = (
        f"Drop a photograph or use the camera. {found[detector]}, and judged by the model in {run.model_dir}: "
        f"{settings.model}, {run.image_size} px, {len(run.data.class_names)} expressions, trained on {run.data.name}."
    )
    judged = _judged(run.model_dir / "metrics.json")
    warning = markup.element("p", _DRAWN, class_="warning") if run.data.is_drawn else None
    return str(
        markup.element(
            "header", markup.element("h1", TITLE), markup.element("p", f"{about} {judged}"), warning
        )
    )


def _judged(path: pathlib.Path) -> str:
    if not path.is_file():
        return "It has not been judged."
    found = json.loads(path.read_text(encoding="utf-8"))
    split = found["protocol"]["split"]
    return f"It got {found['accuracy']:.0%} of the {found['num_examples']:,} pictures of its {split} split right."


def _said(text: str, *, class_: str) -> str:
    return str(markup.element("p", text, class_=class_))


def _theme() -> gradio.themes.Base:
    """Return a theme of the system's own fonts."""
    return gradio.themes.Default(
        primary_hue="blue",
        font=["system-ui", "-apple-system", "Segoe UI", "Roboto", "DejaVu Sans", "sans-serif"],
        font_mono=["ui-monospace", "Menlo", "DejaVu Sans Mono", "monospace"],
    ).set(body_text_color_subdued="*neutral_600", body_text_color_subdued_dark="*neutral_400")
