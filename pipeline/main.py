"""python -m pipeline.main: AffectNet on disk to sharded, face-cropped, class-balanced TFRecords.

Flags mirror config.JobConfig. Flags that are not ours go to Beam untouched, so any runner can be
used.
"""

import difflib
import os
import signal
import types
from collections.abc import Sequence

from pipeline.beam import malloc

malloc.keep_one()  # The libraries below start threads when they are imported.
# TensorFlow, where TFDS loads it, has nothing to say that a user of this program wants to read.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from absl import app, flags, logging

from affectnet_tfds import image_codec, labels
from pipeline import build, config, console
from pipeline.beam import runner
from pipeline.files import object_store
from pipeline.rows import label_cleaning
from runtime import errors

INPUT_DIR = flags.DEFINE_string(
    "input_dir", None, "folder of your copy of AffectNet, or its place in a store (s3://…, gs://…)"
)
DATA_DIR = flags.DEFINE_string(
    "data_dir",
    None,
    "where TFDS keeps data sets; may be in a store too (default: TFDS_DATA_DIR, else ~/tensorflow_datasets)",
)
CONFIG_NAME = flags.DEFINE_string(
    "config_name",
    "",
    "name of this build (default: affectnet8, affectnet8_natural, …, where the flags are its)",
)
LAYOUT = flags.DEFINE_enum(
    "layout", "auto", ["auto", *console.layouts()], "how the input is laid out"
)
CSV = flags.DEFINE_string(
    "csv", "", "lists of pictures of another form: train=a.csv,validation=b.csv; or one list"
)
COLUMNS = flags.DEFINE_string(
    "columns", "", "what their columns hold: path=image,label=emotion,left=x0,… (or numbers)"
)
LABELS = flags.DEFINE_string(
    "labels", "", "what labels mean, where they are not AffectNet's: 1=surprise,2=fear,…"
)
PICTURES = flags.DEFINE_string(
    "pictures", "", "where their pictures are: a folder, or Image/aligned/{stem}_aligned.jpg"
)
DIFFICULTY = flags.DEFINE_enum(
    "difficulty", "all", ["all", *labels.DIFFICULTIES], "which pictures of AffectNet+ to take"
)
CLASSES = flags.DEFINE_integer(
    "classes", 8, "7 (without contempt), 8, or 11 (with none, uncertain, no-face)"
)
SUBSETS = flags.DEFINE_enum(
    "subsets", "manual", list(config.SUBSET_CHOICES), "whose annotations to take"
)
IMAGE_SIZE = flags.DEFINE_integer("image_size", 224, "side of the square crops, in pixels")
ENCODING = flags.DEFINE_enum(
    "encoding",
    "jpeg",
    list(image_codec.ENCODINGS),
    "how crops are stored: jpeg (small), png (exact), raw (exact, fastest)",
)
MARGIN_FRAC = flags.DEFINE_float(
    "margin_frac", 0.15, "margin on each side of the box, in parts of its longer side"
)
BALANCE = flags.DEFINE_string(
    "balance",
    "median",
    "examples of each class in train: none (as they are), median, min, max, or a number",
)
MAX_COPIES = flags.DEFINE_integer(
    "max_copies", 0, "how often balancing may write a row (0: as often as needed)"
)
ALIGN = flags.DEFINE_bool("align", False, "rotate and scale faces to a template by their landmarks")
CLEAN = flags.DEFINE_enum(
    "clean", "none", list(label_cleaning.RULES), "leave out rows whose labels contradict each other"
)
DROP_DUPLICATES = flags.DEFINE_bool(
    "drop_duplicates", False, "leave out of train what is there twice, or in validation"
)
NUM_SHARDS = flags.DEFINE_integer(
    "num_shards", 0, "files of the train split; validation in proportion (0: computed)"
)
SEED = flags.DEFINE_integer(
    "seed", 0, "decides which rows balancing keeps, and the order of examples"
)
NUM_WORKERS = flags.DEFINE_integer("num_workers", 0, "processes on this machine (0: one a core)")
MAX_REJECT_FRAC = flags.DEFINE_float(
    "max_reject_frac", 0.01, "fail when a larger part of the rows is rejected"
)
OVERWRITE = flags.DEFINE_bool("overwrite", False, "replace a build of the same name that differs")
RETRY_REJECTS = flags.DEFINE_bool(
    "retry_rejects", False, "make only the shards again that miss pictures"
)
DRY_RUN = flags.DEFINE_bool("dry_run", False, "print the plan; open no picture, write nothing")


def job_config() -> config.JobConfig:
    """Make the configuration from the flags."""
    data_dir = DATA_DIR.value or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
    return config.JobConfig(
        input_dir=INPUT_DIR.value or "",
        data_dir=data_dir,
        config_name=CONFIG_NAME.value,
        layout=LAYOUT.value,
        csv=CSV.value,
        columns=COLUMNS.value,
        labels=LABELS.value,
        pictures=PICTURES.value,
        difficulty=DIFFICULTY.value,
        classes=CLASSES.value,
        subsets=SUBSETS.value,
        image_size=IMAGE_SIZE.value,
        encoding=ENCODING.value,
        margin_frac=MARGIN_FRAC.value,
        balance=BALANCE.value,
        max_copies=MAX_COPIES.value,
        align=ALIGN.value,
        clean=CLEAN.value,
        drop_duplicates=DROP_DUPLICATES.value,
        num_shards=NUM_SHARDS.value,
        seed=SEED.value,
        num_workers=NUM_WORKERS.value,
        max_reject_frac=MAX_REJECT_FRAC.value,
        overwrite=OVERWRITE.value,
        retry_rejects=RETRY_REJECTS.value,
        dry_run=DRY_RUN.value,
    )


def check_beam_args(beam_args: Sequence[str]) -> None:
    """Refuse flags that neither we nor Beam know; an engine may have more, so there only what
    resembles one of ours.

    Raises:
      errors.UserError: naming the nearest flag.
    """
    elsewhere = runner.names_a_runner(beam_args)
    for name in runner.unknown_beam_args(beam_args):
        near = difflib.get_close_matches(name, flags.FLAGS, n=1, cutoff=0.8 if elsewhere else 0.6)
        if elsewhere and not near:
            continue
        hint = f"; did you mean --{near[0]}?" if near else ""
        raise errors.UserError(
            f"--{name} is no flag of this program, nor of Beam{hint} (--help lists ours)"
        )


class Terminated(KeyboardInterrupt):
    """SIGTERM came: what a queue or a container sends where a person presses ^C; workers are
    stopped the same way."""


def _terminate(number: int, frame: types.FrameType | None) -> None:
    raise Terminated


def main(argv: Sequence[str]) -> int:
    """Build, and say what was done."""
    logging.set_verbosity(logging.ERROR)
    screen = console.Console()
    signal.signal(signal.SIGTERM, _terminate)
    try:
        check_beam_args(argv[1:])
        built = build.build(job_config(), listener=screen, beam_args=argv[1:])
    except (errors.UserError, object_store.Unreachable) as error:
        return console.refuse(error)
    except Terminated:
        return screen.interrupted(exit_code=143)
    except KeyboardInterrupt:
        return screen.interrupted(exit_code=130)
    screen.finished(built)
    return 0


def run() -> None:
    """Parse our flags, leave the others to Beam, and run."""
    app.run(main, flags_parser=lambda argv: flags.FLAGS(argv, known_only=True))


if __name__ == "__main__":
    run()
