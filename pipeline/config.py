"""Configuration of the job: one frozen value, checked when made, saved as JSON beside the output.

Owns every flag of pipeline.main with its help text and rule (runtime/fields.py), and which of them
decide the bytes of the shards: all but those marked `changes_result=False`. Two builds of the same
release with equal values there have the same bytes. Listing the deciding fields was rejected: a new
flag that somebody forgot to list would let a build continue with another one's shards.
"""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from affectnet_tfds import dataset_paths, face_crop, features, image_codec, labels
from affectnet_tfds.peers import crops as peer_crops
from pipeline.rows import label_cleaning
from pipeline.shards import row_example
from pipeline.sources.layouts import registry
from runtime import errors, fields
from runtime.fields import field

SUBSET_CHOICES: Mapping[str, tuple[str, ...]] = {
    "manual": ("manual",),
    "automatic": ("automatic",),
    "all": ("manual", "automatic"),
}
BALANCE_WORDS = ("none", "median", "min", "max")

NEAR = "near"
"""Value of --drop_duplicates that finds pictures in other bytes too."""

_DIFFICULTY_CHOICES = ("all", *labels.DIFFICULTIES)
_CLASS_CHOICES = labels.CLASS_COUNTS
"""Named here because the field `labels` hides the module of that name in the class below."""

_INPUT = "Input"
_ROWS = "Rows and classes"
_CROPS = "Crops"
_OUTPUT = "Output"
_RUN = "Run"


@dataclasses.dataclass(frozen=True, kw_only=True)
class JobConfig(fields.Checked):
    """The build that is wanted: its input, its content, its place.

    The order of the fields is that of build_report.json and stays.

    Raises:
      errors.UserError: for a value out of range, naming the flag, the rule and the value.
    """

    input_dir: str = field(
        "",
        "folder of your copy of AffectNet, or its URL in an object store (s3://..., gs://...)",
        path="folder",
        group=_INPUT,
        default_text="none, it must be given",
        changes_result=False,
    )
    data_dir: str = field(
        "",
        "folder where TFDS keeps data sets, or its URL in an object store",
        path="folder",
        group=_OUTPUT,
        default_text=dataset_paths.DATA_DIR_TEXT,
        changes_result=False,
    )
    config_name: str = field(
        "",
        "name of this build (TFDS config)",
        group=_OUTPUT,
        default_text="the standard name of these flags, if they have one: affectnet8, "
        "affectnet8_natural and so on",
        changes_result=False,
    )
    layout: str = field(
        "auto",
        "how the input is laid out; auto recognises it",
        choices=("auto", *registry.LAYOUTS),
        group=_INPUT,
        changes_result=False,
    )
    csv: str = field(
        "",
        "lists of images of any other form: train=a.csv,validation=b.csv; or one list",
        group=_INPUT,
        default_text="none",
    )
    columns: str = field(
        "",
        "what the columns of --csv hold: path=image,label=emotion,left=x0,... (names or numbers)",
        group=_INPUT,
        default_text="recognised by their names",
    )
    labels: str = field(
        "",
        "what labels mean where they are not AffectNet's, as in 1=surprise,2=fear",
        group=_INPUT,
        default_text="AffectNet's codes and names",
    )
    pictures: str = field(
        "",
        "where the images of --csv are: a folder, or a pattern such as "
        "Image/aligned/{stem}_aligned.jpg",
        path="pattern",
        group=_INPUT,
        default_text="relative to the list",
    )
    groups: str = field(
        "",
        "attributes to store with each face, for evaluation by group: columns of the annotation "
        "(age,skin=tone) and what the job measures (face_px, yaw_deg, brightness, colour)",
        group=_INPUT,
        default_text="none",
    )
    follow_links: bool = field(
        False,
        "follow links that lead out of input_dir",
        group=_INPUT,
        changes_result=False,
    )
    difficulty: str = field(
        "all",
        "difficulty of the images to take from AffectNet+",
        choices=_DIFFICULTY_CHOICES,
        group=_ROWS,
    )
    soft_labels: bool = False
    """Whether there are soft labels. No flag: it follows from the layout (pipeline/build.py)."""
    classes: int = field(
        8,
        "number of classes: 7 (without contempt), 8, or 11 (with none, uncertain and no-face)",
        choices=_CLASS_CHOICES,
        group=_ROWS,
    )
    subsets: str = field(
        "manual",
        "annotations to take: manual, automatic, or both",
        choices=tuple(SUBSET_CHOICES),
        group=_ROWS,
    )
    image_size: int = field(
        224, "side of the square crops", unit="pixels", at_least=16, at_most=1024, group=_CROPS
    )
    encoding: str = field(
        "jpeg",
        "encoding of the stored crops: jpeg (small), png (lossless), raw (lossless, nothing to "
        "decode)",
        choices=image_codec.ENCODINGS,
        group=_CROPS,
    )
    margin_frac: float = field(
        0.15,
        "margin on each side of the face box, as a fraction of its longer side",
        at_least=0,
        at_most=2,
        group=_CROPS,
    )
    align: bool = field(
        False, "rotate and scale faces to a template by their landmarks", group=_CROPS
    )
    like: str = field(
        "none",
        "crop as a peer does, pixel by pixel, which sets the other flags of crops: hsemotion (the "
        "box), dan (the whole image), ddamfn (five landmarks to the nearest pose) or emonet (a "
        "square about all landmarks)",
        choices=("none", *peer_crops.SETTINGS),
        group=_CROPS,
    )
    balance: str = field(
        "median",
        "number of training examples per class: none (as in the data), median, min or max of the "
        "class counts, or a number",
        group=_ROWS,
    )
    max_copies: int = field(
        0,
        "how often balancing may repeat a row",
        at_least=0,
        default_text="0, as often as needed",
        group=_ROWS,
    )
    clean: str = field(
        "none",
        "rule by which rows with contradictory labels are left out",
        choices=tuple(label_cleaning.RULES),
        group=_ROWS,
    )
    drop_duplicates: bool | str = field(
        False,
        "leave out training images that are also in the training or validation split: exact (the "
        "same as the flag by itself), whose very file is; near, whose picture is, be it resized, "
        "recompressed, cropped a little, mirrored, brighter or gray",
        group=_ROWS,
        also=(("exact", True), ("near", "near")),
    )
    scan: str = field(
        "written",
        "images among which identical files and near duplicates are found: written (those of the "
        "output, in passing), or all (also those that balancing leaves out, which reads every "
        "image once more)",
        choices=("written", "all"),
        group=_ROWS,
        changes_result=False,
    )
    validation_frac: float = field(
        0.0,
        "fraction of train that becomes validation, where the data have none: by subject where the "
        "layout names one, else by image",
        at_least=0,
        at_most=0.5,
        group=_ROWS,
    )
    validation_fold: int = field(
        0,
        "which part of that size becomes validation, from 0: the folds of a cross-validation",
        at_least=0,
        group=_ROWS,
    )
    exclude: str = field(
        "",
        "CSV of images to leave out: a column filename, and a column split where not all splits "
        "are meant (suspects.csv of trainer.audit)",
        path="file",
        group=_ROWS,
        default_text="none",
    )
    relabel: str = field(
        "",
        "CSV of images with other labels: the columns filename, given (the label that it has in "
        "the data) and suggested (the one that it gets), and a column split as of --exclude",
        path="file",
        group=_ROWS,
        default_text="none",
    )
    exclude_sha256: str = ""
    relabel_sha256: str = ""
    """Digests of these files, in whose place they decide the bytes. No flags: pipeline/build.py."""
    num_shards: int = field(
        0,
        "number of files of the training split; validation gets a proportional number",
        at_least=0,
        at_most=99_999,
        default_text="0, computed from the size",
        group=_OUTPUT,
    )
    seed: int = field(
        0,
        "random seed of the rows that balancing keeps and of the order of examples",
        group=_ROWS,
    )
    num_workers: int = field(
        0,
        "worker processes on this machine",
        at_least=0,
        default_text="0, one per CPU core",
        group=_RUN,
        changes_result=False,
    )
    max_reject_frac: float = field(
        0.01,
        "largest fraction of rows that may be rejected before the build fails",
        at_least=0,
        at_most=1,
        group=_RUN,
        changes_result=False,
    )
    overwrite: bool = field(
        False,
        "replace a build of the same name that has other settings, and discard unfinished work on "
        "it",
        group=_RUN,
        changes_result=False,
    )
    retry_rejects: bool = field(
        False,
        "rebuild only the shards of a published build that have rejected images",
        group=_RUN,
        changes_result=False,
    )
    dry_run: bool = field(
        False,
        "print the plan; open no image, write nothing",
        group=_RUN,
        changes_result=False,
    )

    def __post_init__(self) -> None:
        """Check the rules that a field's option cannot express, then the options."""
        _require(bool(self.input_dir), "--input_dir must name a folder", "nothing")
        super().__post_init__()
        _require(
            self.balance in BALANCE_WORDS
            or (fields.is_count(self.balance) and int(self.balance) > 0),
            f"--balance must be {', '.join(BALANCE_WORDS)} or a number of images per class",
            self.balance,
        )
        _require(
            self.drop_duplicates in (False, True, NEAR),
            "--drop_duplicates must be exact or near, or be left out",
            self.drop_duplicates,
        )
        for name, value in peer_crops.SETTINGS.get(self.like, {}).items():
            _require(
                getattr(self, name) == value,
                f"--{name} must be {value} with --like={self.like}, which sets it (leave it out)",
                getattr(self, name),
            )
        try:
            features.group_columns(self.groups)
        except ValueError as error:
            raise errors.UserError(f"--groups {error}") from None
        letters = self.config_name.replace("_", "").replace("-", "")
        most = int(1 / self.validation_frac + 1e-9) - 1 if self.validation_frac else 0
        _require(
            self.validation_fold <= most,
            f"--validation_fold must be 0..{most} with --validation_frac={self.validation_frac:g}",
            self.validation_fold,
        )
        _require(
            not self.config_name or (letters.isalnum() and letters.isascii()),
            "--config_name may have letters, digits, _ and - only",
            self.config_name,
        )

    def content(self) -> dict[str, Any]:
        """Return the settings that decide the bytes of the shards, in the order of the fields.

        A flag that is younger than builds on disk is among them only where it is given, and a list
        by its digest: it may be moved, and must not be changed.
        """
        about = fields.options(type(self))
        return {
            f.name: getattr(self, f"{f.name}_sha256" if f.name in LISTS else f.name)
            for f in dataclasses.fields(self)
            if (f.name not in about or about[f.name].changes_result)
            and (f.name not in _YOUNGER or getattr(self, f.name) != f.default)
            and not f.name.endswith("_sha256")
        }

    @property
    def scans_all(self) -> bool:
        """Whether the images of all rows are compared before balancing."""
        return self.scan == "all" or self.drop_duplicates == NEAR

    def example_settings(self) -> row_example.ExampleSettings:
        """Return the settings that decide an example's bytes, given its row."""
        return row_example.ExampleSettings(
            geometry=face_crop.Geometry(self.image_size, self.margin_frac, self.align, self.like),
            encoding=self.encoding,
            soft_labels=self.soft_labels,
            groups=tuple(features.group_columns(self.groups)),
        )

    def to_json(self) -> str:
        """Return all fields as JSON, those of _ONLY_IF_GIVEN where they are given."""
        given = dataclasses.asdict(self)
        for f in dataclasses.fields(self):
            if f.name in _ONLY_IF_GIVEN and given[f.name] == f.default:
                del given[f.name]
        return json.dumps(given, indent=2, sort_keys=True) + "\n"


def given_like(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return given flags, and those of crops that --like sets and nobody has given."""
    return {**peer_crops.SETTINGS.get(given.get("like", ""), {}), **given}


LISTS = ("exclude", "relabel")
"""Flags that name a file of lines about rows."""

_ONLY_IF_GIVEN = ("groups", *LISTS)
"""Flags that job_config.json names where they are given: else it has the bytes of before them."""

_YOUNGER = ("like", "validation_frac", "validation_fold", *_ONLY_IF_GIVEN)
"""Flags whose defaults are what builds without them were made with."""

SECTIONS: dict[str, type] = {"Job": JobConfig}


_WITH_SOFT_LABELS = ("ferplus",)
"""Data sets other than AffectNet+ whose rows have a probability for each expression."""


def standard_name(config: JobConfig, data: str = "") -> str:
    """Return the name that a build of these flags bears by itself, or "" if it needs one of its
    own.

    A standard name promises its content: affectnet8 is 8 classes, manual annotations, 224 px,
    balanced to the median. So does rafdb of RAF-DB, and rafdb_natural.

    Args:
      config: the build.
      data: layout of another data set (registry.OTHERS); "" for AffectNet.
    """
    same = {**config.content(), "num_shards": 0, "seed": 0}
    return next((name for name, promised in _promises(data).items() if promised == same), "")


def _promises(data: str = "") -> dict[str, dict[str, Any]]:
    """Return what each standard name promises; of another data set, those that bear its name."""
    if data:
        return {
            f"{data}{suffix}": JobConfig(
                input_dir="x", balance=balance, soft_labels=data in _WITH_SOFT_LABELS
            ).content()
            for balance, suffix in (("median", ""), ("none", "_natural"))
        }
    return {
        f"{stem}{classes}{suffix}": JobConfig(
            input_dir="x", data_dir="", classes=classes, balance=balance, soft_labels=soft_labels
        ).content()
        for stem, soft_labels in (("affectnet", False), ("affectnetplus", True))
        for classes in labels.CLASS_COUNTS
        for balance, suffix in (("median", ""), ("none", "_natural"))
    }


def named(config: JobConfig, *, drawn: bool, data: str = "") -> JobConfig:
    """Return the configuration with its name, which never mixes up drawn faces with real ones.

    Args:
      drawn: whether the input is the drawn sample.
      data: layout of another data set (registry.OTHERS); "" for AffectNet.

    Raises:
      errors.UserError: if the name given, or the lack of one, could be taken for another build.
    """
    if drawn:
        name = config.config_name or dataset_paths.SAMPLE
        if not name.startswith(dataset_paths.SAMPLE):
            raise errors.UserError(
                f"a build of the drawn sample is called sample…: got --config_name={name}; "
                "call it sample, or sample_ and a word of yours"
            )
        return dataclasses.replace(config, config_name=name)
    name = config.config_name or standard_name(config, data)
    if not name:
        raise errors.UserError(_needs_a_name(config, data=data))
    if name.startswith(dataset_paths.SAMPLE):
        raise errors.UserError(
            f"names that begin with sample are for drawn faces: got --config_name={name}; "
            "choose another"
        )
    if data and name in _promises():
        raise errors.UserError(
            f"{name} is a build of AffectNet, and this is {data}: got --config_name={name}; "
            "choose another"
        )
    if name in {**_promises(), **_promises(data)} and name != standard_name(config, data):
        raise errors.UserError(_needs_a_name(config, taken=name, data=data))
    return dataclasses.replace(config, config_name=name)


def _needs_a_name(config: JobConfig, *, taken: str = "", data: str = "") -> str:
    stem = "affectnetplus" if config.soft_labels else "affectnet"
    base = taken or data or f"{stem}{config.classes}"
    promised = {**_promises(), **_promises(data)}[base]
    other = {
        k: v
        for k, v in config.content().items()
        if v != promised.get(k) and k not in ("num_shards", "seed")
    }
    listed, (first, value) = (
        ", ".join(f"{k}={v}" for k, v in other.items()),
        next(iter(other.items())),
    )
    word = str(value) if str(value).isalnum() and not isinstance(value, bool) else first
    suggested = standard_name(config, data) or f"{base}_{word}"
    return (
        f"{base} stands for one set of flags and {listed} is not among them; "
        f"give this build a name of its own, such as --config_name={suggested}"
    )


def _require(holds: bool, rule: str, value: object) -> None:
    if not holds:
        raise errors.UserError(f"{rule}: got {value}")
