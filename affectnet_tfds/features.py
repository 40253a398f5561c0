"""TFDS features of an example, and the description of the data set.

Owns the contract between the job, which writes examples, and everything that reads them. The
features allow any TFDS process to read the files without this package; the bytes themselves are
written by affectnet_tfds/example_codec.py: TFDS's serializer was rejected because its bytes differ
from process to process and because it needs TensorFlow.
"""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from affectnet_tfds import dataset_paths, labels

if TYPE_CHECKING:
    import tensorflow_datasets as tfds

NUM_LANDMARKS = 68
NUM_SOFT = 8

GROUPS = "groups"
"""Feature that holds attributes of the person and the image, as text by their names."""

MEASURED_GROUPS = ("face_px", "yaw_deg", "brightness", "colour")
"""Attributes that the job measures; all others are columns of the annotation."""

_GROUP_NAME = re.compile(r"[a-z][a-z0-9_]*")


def features(
    *,
    image_size: int,
    num_classes: int,
    soft_labels: bool = False,
    encoding: str = "jpeg",
    groups: Sequence[str] = (),
) -> "tfds.features.FeaturesDict":
    """Return the TFDS features of a config.

    Args:
      image_size: side of the square crop, in pixels.
      num_classes: 7, 8 or 11.
      soft_labels: whether there is a `soft_label`, as AffectNet+ has it.
      encoding: how crops are stored: jpeg, png or raw (image_codec.ENCODINGS).
      groups: names of the attributes.

    Returns:
      image: uint8[S, S, 3], RGB.
      label: int64, AffectNet's code.
      valence, arousal: float32 in [-1, 1], NaN where missing.
      landmarks: float32[68, 2], (x, y) in 0..1 across the crop (may leave it), NaN where missing.
      bbox: float32[4], (ymin, xmin, ymax, xmax), the face box as a fraction of the original image,
        clamped to it.
      filename: path inside the release, unique within a split.
      subset: manual or automatic.
      copy: 0 for the image itself, k for its k-th repeat by balancing; odd ones are mirrored.
      soft_label: float32[8], probabilities of the first 8 expressions, NaN where missing.
      groups: where there are any, a mapping of each attribute's name to its text, "" where missing.
    """
    # Inside: the first import of TFDS registers the builder, which imports this module.
    import tensorflow_datasets as tfds

    extra: dict[str, tfds.features.FeatureConnector] = {}
    if soft_labels:
        extra["soft_label"] = tfds.features.Tensor(shape=(NUM_SOFT,), dtype=np.float32)
    if groups:
        by_name = {name: tfds.features.Text() for name in groups}
        extra[GROUPS] = tfds.features.FeaturesDict(by_name)
    return tfds.features.FeaturesDict(
        {
            "image": _image((image_size, image_size, 3), encoding=encoding),
            "label": tfds.features.ClassLabel(names=list(labels.class_names(num_classes))),
            "valence": tfds.features.Scalar(dtype=np.float32),
            "arousal": tfds.features.Scalar(dtype=np.float32),
            "landmarks": tfds.features.Tensor(shape=(NUM_LANDMARKS, 2), dtype=np.float32),
            "bbox": tfds.features.BBoxFeature(),
            "filename": tfds.features.Text(),
            "subset": tfds.features.ClassLabel(names=list(labels.SUBSETS)),
            "copy": tfds.features.Scalar(dtype=np.int64),
            **extra,
        }
    )


def group_columns(text: str) -> dict[str, str]:
    """Return the attributes that the job's --groups asks for: name to column, as in age,skin=tone.

    A name alone is its own column, or one of MEASURED_GROUPS, whose column is "".

    Raises:
      ValueError: with the rule, for a name that is none or is there twice, and for no column.
    """
    found: dict[str, str] = {}
    for part in text.split(",") if text else ():
        name, equals, column = (each.strip() for each in part.partition("="))
        if not equals:
            column = "" if name in MEASURED_GROUPS else name
        elif not column:
            raise ValueError(f"must name a column after each =: got {part.strip()!r}")
        name = name if equals else name.lower()
        if not _GROUP_NAME.fullmatch(name):
            raise ValueError(
                f"must have names of small letters, digits and _: got {name!r}; a column called "
                "otherwise is given a name with name=column"
            )
        if name in found:
            raise ValueError(f"must name each attribute once: got {name} twice")
        found[name] = column
    return found


def _image(shape: tuple[int, int, int], *, encoding: str) -> "tfds.features.FeatureConnector":
    import tensorflow_datasets as tfds  # As above.

    if encoding == "raw":
        return tfds.features.Tensor(
            shape=shape, dtype=np.uint8, encoding=tfds.features.Encoding.BYTES
        )
    return tfds.features.Image(shape=shape, encoding_format=encoding)


HOMEPAGE = "http://mohammadmahoor.com/affectnet/"

CITATION = """\
@article{mollahosseini2019affectnet,
  title={AffectNet: A Database for Facial Expression, Valence, and Arousal Computing in the Wild},
  author={Mollahosseini, Ali and Hasani, Behzad and Mahoor, Mohammad H.},
  journal={IEEE Transactions on Affective Computing},
  volume={10}, number={1}, pages={18--31}, year={2019},
  doi={10.1109/TAFFC.2017.2740923}
}"""

PLUS_CITATION = f"""\
{CITATION}

@article{{fard2024affectnetplus,
  title={{AffectNet+: A Database for Enhancing Facial Expression Recognition with Soft-Labels}},
  author={{Fard, Ali Pourramezan and Hosseini, Mohammad Mehdi and Sweeny, Timothy D. and
    Mahoor, Mohammad H.}},
  journal={{arXiv preprint arXiv:2410.22506}}, year={{2024}}
}}"""
"""Of AffectNet+, whose images are AffectNet's."""

# Part of published metadata: the bytes stay.
DESCRIPTION = (
    "Face crops from AffectNet with expression, valence, arousal and 68 landmarks. Made by the "
    "affectnet_faces job from a\n"
    "copy of AffectNet that its owner obtained under its licence; neither may be redistributed."
)

DRAWN_DESCRIPTION = (
    "Drawn faces in the form of AffectNet, for trying things out. These are not AffectNet and no "
    "result on them says\n"
    "anything about people."
)


DRAWN_LICENSE = "Apache-2.0: the faces are drawn by a program of that licence, and show nobody."

LICENSE = (
    "AffectNet is for non-commercial research, by an agreement that a professor or head of "
    f"laboratory signs with its authors ({HOMEPAGE}); images, and crops of them, may not be passed "
    "on. The agreement is what counts."
)

RELEASE_NOTES = {
    dataset_paths.VERSION: (
        "First version: image, label, valence, arousal, landmarks, bbox, filename, subset and "
        "copy; soft_label where the data have soft labels."
    )
}


def config_description(
    *, classes: int, balance: str, soft_labels: bool, subsets: str = "manual", crops: str = ""
) -> str:
    """Return the description of a config in TFDS's metadata.

    Args:
      classes: number of classes.
      balance: how train is balanced, as the job's flag says it.
      soft_labels: whether there are soft labels.
      subsets: annotations taken, as the job's flag says it.
      crops: what is unusual about the crops.
    """
    balanced = {
        "none": "train as it is",
        **{word: f"train balanced to the {word} class" for word in ("median", "min", "max")},
    }
    taken = "manual and automatic" if subsets == "all" else subsets
    parts = (
        f"{classes} classes",
        f"{taken} annotations",
        "soft labels" if soft_labels else "",
        balanced.get(balance, f"train balanced to {balance} images a class"),
        crops,
    )
    return ", ".join(part for part in parts if part)
