"""Python API of the trainer: train, evaluate and apply a classifier from a notebook or a program.

    run = api.train(data_dir="data", model_dir="runs/first", epochs=12)
    evaluated = api.evaluate(run)
    faces = api.FaceClassifier.load("runs/first").predict("photos/").to_pandas()

Owns these entry points; docs/api.md shows them. Settings are the flags of the programs, by the same
names and with the same rules. A parameter for each setting was rejected: there are dozens, and a
list of them here would go out of date. Errors that the caller can correct are errors.UserError.
"""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from runtime import errors, fields
from trainer import evaluate as evaluate_program
from trainer import face_api, main, predict
from trainer.config import run_config
from trainer.distributed import devices, host_channel, tf_logging
from trainer.inference import face_detector, images
from trainer.run import ensemble, model_folder, trained_run

if TYPE_CHECKING:  # Importing TensorFlow takes seconds; a refusal has to come first.
    from trainer.inference import face_classifier
    from trainer.reports import publication

FaceClassifier = face_api.FaceClassifier


def train(**settings: Any) -> trained_run.Run:
    """Train, or continue, a run on this host; evaluate its best weights on validation.

    Prints what `python -m trainer.main` prints. An interrupt is deferred to the end of the step and
    the state saved; the same call then continues.

    Args:
      **settings: the flags of trainer.main, such as num_gpus=4, recipe="affectnet8",
        conv_filters=(32, 64).

    Raises:
      errors.UserError: if settings, data, devices or model folder do not fit together.
      KeyboardInterrupt: if it was interrupted.
    """
    config = run_config.resolve(settings)
    if config.run.is_trial:
        raise errors.UserError("dry_run and find_lr leave no run: use python -m trainer.main")
    data_path = main.checked(config)
    with model_folder.locked(config, connection=host_channel.alone()):
        with tf_logging.chatter_off():
            # Inside: the refusals above must not wait for TensorFlow.
            from trainer.training import train as training
        with _interrupts():
            training.run(config, data_path=data_path)
    return trained_run.find(config.run.model_dir)


def open_run(model_dir: str) -> ensemble.Model:
    """Open the folder of a trained run, or an ensemble: several, separated by commas.

    Raises:
      errors.UserError: if one holds none, or runs do not agree in classes, outputs or faces.
    """
    return ensemble.find(model_dir)


def evaluate(run: ensemble.Model, **settings: Any) -> "publication.Evaluated":
    """Evaluate a run; write and print its report. Returns numbers, predictions and files.

    Args:
      run: of `train` or `open_run`.
      **settings: the flags of trainer.evaluate for a run but model_dir: data_dir, config_name,
        split, subset, report_dir (which an ensemble needs), num_gpus, virtual_devices.

    Raises:
      errors.UserError: if settings, model, data or devices do not fit together.
    """
    return evaluate_program.evaluate(
        evaluate_program.Evaluation(model_dir=str(run.model_dir), **settings)
    )


def classifier(run: ensemble.Model, *, detector: str = "mtcnn") -> "face_classifier.FaceClassifier":
    """Return the classifier of a run's best weights: `classify(images)` finds and classifies faces.

    Args:
      run: of `train` or `open_run`.
      detector: mtcnn (extra `predict`), or none, which takes each image as one face crop.

    Raises:
      errors.UserError: if the detector is not installed or of no use to the run's crops, the run
        has no weights, or a GPU has no memory left for TensorFlow to start.
    """
    face_detector.check_installed(detector)
    face_detector.check_crops(detector, like=run.data.geometry().like)
    with tf_logging.chatter_off():
        from trainer.inference import face_classifier  # Inside, as above.

        devices.take_memory_as_needed()
        devices.start()
        return face_classifier.FaceClassifier(run, detect=face_detector.detector(detector))


def read_images(*paths: str, every_s: float = 1.0) -> Iterator[images.InputImage]:
    """Yield the images of files, of folders, and the frames of videos.

    Args:
      *paths: files and folders.
      every_s: seconds between the frames that are taken from a video.

    Raises:
      invalid_example.InvalidExample: if a file cannot be read.
      errors.UserError: if every_s, or what is given as a path, is none.
    """
    every_s = fields.setting(every_s, config_type=predict.Predict, name="every_s")
    for path in images.find(paths):
        yield from images.read(path, every_s=every_s)


@contextlib.contextmanager
def _interrupts() -> Iterator[None]:
    """Raise for an interrupted run what Python raises for it."""
    try:
        yield
    except SystemExit as stopped:
        raise KeyboardInterrupt(f"exit code {stopped.code}: the same call continues") from None
