"""Demo page in Gradio: its layout, the call for an upload, and the checks before it."""

from collections.abc import Callable, Mapping
from importlib import resources
from typing import Any

import fastapi
import gradio

from trainer.demo import access, answer_html, inputs_html, local_server, routes, samples
from trainer.demo import uploads as uploads_lib
from trainer.run import ensemble
from webpage import markup
from webpage.markup import Markup

TITLE = "Facial expression classifier"
_NUM_SESSIONS = 8
"""Windows of the page whose last answer, with its images, Gradio keeps in memory."""

_LIMITS = (
    "An expression is not an emotion: the model predicts what annotators would call the expression "
    "in an image, not what a person feels, and it errs more on people, poses and lighting that are "
    "rare in its data."
)
_PRIVACY = "Images stay on this machine, and are deleted once they have been classified."
_DRAWN = "Smoke test only: this model was trained on drawn faces, not on photographs of people."

Answer = Callable[[str], Markup]
"""From the path of an upload to the page's answer."""


def guarded(
    run: ensemble.Model,
    *,
    detector: str,
    answer: Answer,
    uploads: uploads_lib.Uploads,
    token: str,
) -> local_server.Application:
    """Return the page as an ASGI application, behind the checks of `access` and `routes`.

    Args:
      run: the model's.
      detector: name of the face detector.
      answer: called for one upload at a time.
      uploads: where uploads go, and the only files that are read.
      token: what every request needs.
    """
    page = _mounted(_blocks(run, detector=detector, answer=answer), uploads=uploads)
    restricted = routes.restricted(local_server.contained(page), uploads=uploads)
    return local_server.confined(access.guarded(restricted, token=token))


def _mounted(blocks: gradio.Blocks, *, uploads: uploads_lib.Uploads) -> fastapi.FastAPI:
    app = fastapi.FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    routes.add(app, uploads=uploads)
    gradio.mount_gradio_app(
        app,
        blocks,
        path="/",
        server_name=local_server.HOST,
        footer_links=[],
        run_history=False,
        max_file_size=f"{routes.MAX_UPLOAD_MB}mb",
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        theme=_theme(),
        css=resources.files("trainer.demo").joinpath("page.css").read_text(encoding="utf-8"),
        head=inputs_html.script(),
        show_error=False,
    )
    return app


def _blocks(run: ensemble.Model, *, detector: str, answer: Answer) -> gradio.Blocks:
    blocks = gradio.Blocks(title=TITLE, analytics_enabled=False)
    blocks.state_session_capacity = _NUM_SESSIONS
    with blocks:
        gradio.HTML(_head(run, detector=detector), apply_default_css=False)
        with gradio.Row():
            with gradio.Column(scale=2, min_width=300):
                image = gradio.Image(
                    label="Image",
                    sources=["upload", "webcam"],
                    type="filepath",
                    buttons=[],
                    height=320,
                    webcam_options=gradio.WebcamOptions(mirror=False),
                    elem_id="image",
                )
                for element in (
                    inputs_html.live_camera(),
                    inputs_html.sample_buttons(samples.draw(run.data.class_names)),
                    markup.element("p", _PRIVACY, class_="note"),
                ):
                    gradio.HTML(str(element), apply_default_css=False)
            with gradio.Column(scale=3, min_width=300):
                shown = gradio.HTML(
                    str(answer_html.waiting()), elem_id="answer", apply_default_css=False
                )
        gradio.HTML(_paragraph(_LIMITS, class_="note limits"), apply_default_css=False)

        def on_input(upload: Mapping[str, Any] | None) -> tuple[object, object]:
            if upload is None:  # The source was changed from file to camera.
                return gradio.skip(), gradio.skip()
            return None, str(answer(upload["path"]))

        image.input(
            on_input,
            image,
            [image, shown],
            preprocess=False,
            api_visibility="private",
            concurrency_limit=1,
            show_progress="full",
            show_progress_on=shown,
        )
    return blocks


def _head(run: ensemble.Model, *, detector: str) -> str:
    crops = {
        "mtcnn": "Faces are detected by MTCNN, cropped as the training data were",
        "none": "Each image is taken as one face crop",
    }
    found = crops.get(detector, "Faces are detected by a file, cropped as the training data were")
    members = run.members
    networks = "; ".join(f"{each.settings.model.model}, {each.image_size} px" for each in members)
    source = (
        f"the model in {run.model_dir}"
        if len(members) == 1
        else f"the ensemble of {', '.join(str(each.model_dir) for each in members)}"
    )
    names = ", ".join(dict.fromkeys(each.data.name for each in members))
    about = (
        f"Drop a photograph or use the camera. {found}, and classified by {source}: "
        f"{networks}, {len(run.data.class_names)} expressions, trained on {names}."
    )
    accuracy = _accuracy(run)
    is_drawn = any(each.data.is_drawn for each in members)
    warning = markup.element("p", _DRAWN, class_="warning") if is_drawn else None
    header = markup.element(
        "header",
        markup.element("h1", TITLE),
        markup.element("p", f"{about} {accuracy}"),
        warning,
    )
    return str(header)


def _accuracy(run: ensemble.Model) -> str:
    metrics = run.metrics()
    if metrics is None and len(run.members) > 1:
        return "Its accuracy is what trainer.evaluate reports of all its runs together."
    if metrics is None:
        return "It has not been evaluated."
    return (
        f"Its accuracy is {metrics['accuracy']:.0%} on the {metrics['num_examples']:,} images of "
        f"its {metrics['protocol']['split']} split."
    )


def _paragraph(text: str, *, class_: str) -> str:
    return str(markup.element("p", text, class_=class_))


def _theme() -> gradio.themes.Base:
    """Return a theme with the system's fonts, so that no font is downloaded."""
    return gradio.themes.Default(
        primary_hue="blue",
        font=["system-ui", "-apple-system", "Segoe UI", "Roboto", "DejaVu Sans", "sans-serif"],
        font_mono=["ui-monospace", "Menlo", "DejaVu Sans Mono", "monospace"],
    ).set(body_text_color_subdued="*neutral_600", body_text_color_subdued_dark="*neutral_400")
