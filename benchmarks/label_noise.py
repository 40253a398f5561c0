"""Label noise: flips labels of a build's training split, reproducibly, and writes which.

python -m benchmarks.label_noise --data_dir=DATA_DIR --config_name=NAME --rate=0.2 --output=FILE
writes a CSV of the images with the label that they have (given) and the one that they get
(suggested), which the job makes a build of: python -m pipeline.main --relabel=FILE. With
--noise=confusion the new labels are those that a trained network takes the classes for
(--predictions: predictions.csv of its evaluation). The same flags give the same file.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from absl import flags

from affectnet_tfds import FaceDataset
from affectnet_tfds.reader import label_list
from benchmarks import command_line, flips
from runtime import errors
from trainer.evaluation import predictions

KINDS = ("uniform", "confusion")

DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "folder that holds affectnet_faces/", required=True
)
CONFIG_NAME = flags.DEFINE_string("config_name", None, "which build of the data set")
SPLIT = flags.DEFINE_string("split", "train", "split whose labels are flipped")
NOISE = flags.DEFINE_string(
    "noise",
    "uniform",
    "which label a flipped one becomes: any alike (uniform), or by --predictions (confusion)",
)
RATE = flags.DEFINE_float("rate", 0.2, "share of the labels of each class", 0, 1)
PREDICTIONS = flags.DEFINE_string(
    "predictions", None, "predictions.csv of a network, for --noise=confusion"
)
SEED = flags.DEFINE_integer("seed", 0, "seed of the choice", 0)
OUTPUT = flags.DEFINE_string("output", None, "CSV to write", required=True)


def main(argv: Sequence[str]) -> None:
    """Write the list that the flags describe."""
    faces = FaceDataset(DATA_DIR.value, split=SPLIT.value, config_name=CONFIG_NAME.value)
    columns = faces.columns()
    # Repeats by balancing share a name, and so a label.
    names, first = np.unique(columns["filename"].astype(str), return_index=True)
    labels = np.asarray(columns["label"])[first].astype(np.int64)
    if NOISE.value not in KINDS:
        raise errors.UserError(f"--noise must be one of {', '.join(KINDS)}: got {NOISE.value}")
    if NOISE.value == "confusion":
        if not PREDICTIONS.value:
            raise errors.UserError("--noise=confusion needs --predictions")
        shares = flips.confusion_shares(predictions.read(Path(PREDICTIONS.value)))
    else:
        shares = flips.uniform_shares(len(faces.class_names))
    noisy = flips.flipped(labels, shares=shares, rate=RATE.value, seed=SEED.value)
    rows = [
        {
            "split": SPLIT.value,
            "filename": names[row],
            "given": faces.class_names[labels[row]],
            "suggested": faces.class_names[noisy[row]],
        }
        for row in np.flatnonzero(noisy != labels)
    ]
    Path(OUTPUT.value).write_text(label_list.to_csv(rows), encoding="utf-8")
    print(f"flipped       {len(rows):,} of {len(names):,} labels: {OUTPUT.value}")


if __name__ == "__main__":
    command_line.run(main)
