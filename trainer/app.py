"""Demo program: python -m trainer.app --model_dir=DIR serves a page on this machine only.

Owns the flags, and answering an upload. Gradio's own launch() was rejected: it offers a public
link, asks its makers' server for the newest version, and silently takes another port.

No image is kept: an upload is a file in a folder of this run (`uploads`), removed as it is read, or
within two minutes if it never is; what the page shows is never written. The folder is removed when
the program ends, by Ctrl-C or SIGTERM; a SIGKILL leaves it, with uploads that wait to be read.
"""

import contextlib
import dataclasses
import pathlib
import signal
import socket
import sys
import traceback
import types
from typing import TYPE_CHECKING

from affectnet_tfds import invalid_example
from runtime import fields, flags, installation
from trainer.config import run_config
from trainer.demo import local_server, uploads
from trainer.distributed import devices, tf_logging
from trainer.inference import face_detector
from trainer.run import ensemble

if TYPE_CHECKING:  # Importing TensorFlow takes seconds; a refusal has to come first.
    from trainer.explain import face_pictures
    from trainer.inference import face_classifier
    from webpage import markup

ABOUT = """\
Show a local web page that classifies the faces of uploaded images and of the webcam.

  python -m trainer.app --model_dir=runs/first
  python -m trainer.app --model_dir=runs/first --detector=none --port=8000

No data leaves the machine, and no image is kept."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class App(fields.Checked):
    """Flags of trainer.app."""

    model_dir: str = fields.field("runs/latest", ensemble.HELP, path="folder")
    detector: str = fields.field(
        "mtcnn", face_detector.HELP, path="file", words=face_detector.WORDS
    )
    port: int = fields.field(
        7860, "port on 127.0.0.1; 0 takes any that is free", at_least=0, at_most=65535
    )
    explain: bool = fields.field(
        False,
        "show beside each face what spoke for its expression; of a single run only, since an "
        "ensemble has several networks",
    )


SECTIONS = {"App": App}


def main() -> None:
    """Serve the page until a signal ends the program."""
    config = App(**flags.given(SECTIONS))
    installation.require("gradio", what="trainer.app")
    face_detector.check_installed(config.detector)
    run = ensemble.find(config.model_dir)
    # Refused here, before TensorFlow is imported: crops that are not known, or not of faces.
    face_detector.check_crops(config.detector, like=run.data.geometry().like)
    if config.explain:
        ensemble.check_is_one_run(run, flag="--explain")
    local_server.forget_proxies()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _exit)
    print(f"starting      with the model of {run.model_dir}", flush=True)
    with (
        contextlib.closing(local_server.listen(config.port)) as listener,
        uploads.folder() as folder,
    ):
        serve(
            run,
            detector=config.detector,
            listener=listener,
            folder=folder,
            explain=config.explain,
        )


def serve(
    run: ensemble.Model,
    *,
    detector: str,
    listener: socket.socket,
    folder: pathlib.Path,
    explain: bool = False,
) -> None:
    """Load the model, and serve the page until a signal comes."""
    with tf_logging.chatter_off():
        # Inside: the refusals of `main` must not wait for TensorFlow, and Gradio reads the folder
        # of uploads when it is imported.
        from trainer.demo import access
        from trainer.demo import page as page_lib
        from trainer.inference import face_classifier

        devices.prepare(run_config.Devices(num_gpus=0))
        detect = face_detector.detector(detector)
        classifier = face_classifier.FaceClassifier(run, detect=detect)
        classifier.warm_up()
        pictures = face_classifier.face_pictures_of(run) if explain else None
    received = uploads.Uploads(folder)
    token = access.new_token()
    page = page_lib.guarded(
        run,
        detector=detector,
        answer=lambda path: answer(
            path, received=received, classifier=classifier, pictures=pictures
        ),
        uploads=received,
        token=token,
    )
    port = listener.getsockname()[1]
    address = f"http://{local_server.HOST}:{port}/?token={token}"
    print(f"page          {address}   (Ctrl-C ends it)", flush=True)
    local_server.server(page).run(sockets=[listener])


def answer(
    path: str,
    *,
    received: uploads.Uploads,
    classifier: "face_classifier.FaceClassifier",
    pictures: "face_pictures.FacePictures | None" = None,
) -> "markup.Markup":
    """Return the page's answer to an upload, and remove the upload.

    The answer to a file that is no image gives the kind of fault: no byte of a file is quoted.
    """
    # Inside, as above.
    from trainer.demo import answer_html, timed_prediction

    try:
        content = received.take(path)
        prediction = timed_prediction.predict(content, classifier=classifier, pictures=pictures)
        return answer_html.answer(prediction, names=classifier.class_names)
    except invalid_example.InvalidExample as fault:
        return answer_html.refused(fault.reason)
    except Exception:  # A defect of ours: the page goes on, and says where to look.
        traceback.print_exc()
        return answer_html.refused("a defect of this program, described in its terminal")


def _exit(number: int, frame: types.FrameType | None) -> None:
    """End the program by an exception, so that the folder of uploads is removed."""
    sys.exit(128 + number)


if __name__ == "__main__":
    flags.define(SECTIONS)
    flags.run(main, sections=SECTIONS, about=ABOUT)
