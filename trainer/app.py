"""Try a model on pictures in a browser: python -m trainer.app --model_dir=DIR, on this machine
only.

Owns the flags and what a picture is answered with. Gradio's own launch() was rejected: it offers a
link to the whole world, asks its makers' server for the newest version, and takes another port
without a word.

No picture is kept: Gradio writes an upload to a folder of this run (`uploads`), where it is removed
as it is read, or a minute or two later if it never is; what the page shows is never written. The
folder goes when the program ends, by ^C or SIGTERM; a SIGKILL leaves it, with the picture that was
just then on its way, if any.
"""

import contextlib
import dataclasses
import importlib.util
import pathlib
import signal
import socket
import sys
import types
from typing import TYPE_CHECKING

from affectnet_tfds import invalid_example
from runtime import errors, fields, flags
from trainer import predict
from trainer.config import run_config
from trainer.demo import local_server, uploads
from trainer.distributed import devices, tf_logging
from trainer.inference import face_detector
from trainer.run import trained_run

if TYPE_CHECKING:  # Importing TensorFlow takes seconds; a refusal has to come first.
    from trainer.inference import face_classifier
    from webpage import markup

ABOUT = """Show a page on this machine to try a model on pictures: drop one, or use the camera.

  python -m trainer.app --model_dir=runs/first
  python -m trainer.app --model_dir=runs/first --detector=none --port=8000

Nothing is asked of any other machine, and no picture is kept."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class App(fields.Checked):
    """What the page shows, and where."""

    model_dir: str = fields.field("runs/latest", "folder of the trained model")
    detector: str = fields.field(
        "mtcnn", "what finds faces; none takes the whole picture", choices=predict.DETECTORS
    )
    port: int = fields.field(
        7860, "port on 127.0.0.1; 0 takes a free one", at_least=0, at_most=65535
    )


SECTIONS = {"App": App}


def main() -> None:
    """Show the page until a signal ends the program."""
    asked = App(**flags.given(SECTIONS))
    if importlib.util.find_spec("gradio") is None:
        raise errors.UserError("trainer.app needs gradio: pip install 'affectnet-faces[app]'")
    predict.check_detector(asked.detector)
    run = trained_run.find(asked.model_dir)
    run.data.geometry()  # Refuses, if that is not known.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)
    with (
        contextlib.closing(local_server.listen(asked.port)) as listener,
        uploads.folder() as folder,
    ):
        serve(run, detector=asked.detector, listener=listener, folder=folder)


def serve(
    run: trained_run.Run, *, detector: str, listener: socket.socket, folder: pathlib.Path
) -> None:
    """Load the model, and show the page until a signal comes."""
    with tf_logging.chatter_off():
        import uvicorn  # Inside, like the others: a refusal has to come before TensorFlow, `uploads` before Gradio.

        from trainer.demo import page as page_lib
        from trainer.demo import timed_prediction
        from trainer.inference import face_classifier

        devices.prepare(run_config.Devices(num_gpus=0))
        reader, detect = face_classifier.FaceClassifier(run), face_detector.detector(detector)
        timed_prediction.warm_up(reader=reader, detect=detect)
    page = page_lib.mounted(
        run,
        detector=detector,
        answer=lambda path: answer(path, folder=folder, reader=reader, detect=detect),
    )
    server = uvicorn.Config(
        local_server.confined(page), log_level="warning", timeout_graceful_shutdown=1
    )
    print(
        f"look at       http://{local_server.HOST}:{listener.getsockname()[1]}   (^C ends it)",
        flush=True,
    )
    uvicorn.Server(server).run(sockets=[listener])


def answer(
    path: str,
    *,
    folder: pathlib.Path,
    reader: "face_classifier.FaceClassifier",
    detect: face_detector.Detector,
) -> "markup.Markup":
    """Return what the page says of an upload, which is gone then."""
    # Inside, as above.
    from trainer.demo import answer_html, timed_prediction

    try:
        content = uploads.take(path, folder=folder)
        return answer_html.answer(
            timed_prediction.predict(content, reader=reader, detect=detect),
            names=reader.class_names,
        )
    except invalid_example.InvalidExample as fault:
        return answer_html.refused(fault)


def _leave(number: int, frame: types.FrameType | None) -> None:
    """End the program in order, so that the folder of uploads goes too."""
    sys.exit(128 + number)


if __name__ == "__main__":
    flags.define(SECTIONS)
    flags.run(main, sections=SECTIONS, about=ABOUT)
