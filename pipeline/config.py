"""The job's configuration: one frozen value, validated when made, saved as JSON beside the output.

Flags mirror its fields (pipeline/main.py). Fields marked `_bytes` decide what is in the files: two
builds with the same release and the same values there have the same bytes, whatever the rest says.
"""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from affectnet_tfds import face_crop, image_codec, labels
from pipeline.rows import label_cleaning
from pipeline.shards import row_example
from runtime import errors

DATASET_NAME = "affectnet_faces"
VERSION = "1.0.0"

SUBSET_CHOICES: Mapping[str, tuple[str, ...]] = {
    "manual": ("manual",),
    "automatic": ("automatic",),
    "all": ("manual", "automatic"),
}
BALANCE_WORDS = ("none", "median", "min", "max")


def _bytes(default: Any) -> Any:
    """Declare a field that decides what is in the files."""
    return dataclasses.field(default=default, metadata={"bytes": True})


@dataclasses.dataclass(frozen=True, kw_only=True)
class JobConfig:
    """What to build, from what, and where.

    Raises:
      errors.UserError: for a value out of range, naming the flag, the rule and the value.
    """

    input_dir: str
    data_dir: str
    config_name: str = ""
    layout: str = "auto"
    csv: str = _bytes("")
    columns: str = _bytes("")
    labels: str = _bytes("")
    pictures: str = _bytes("")
    difficulty: str = _bytes("all")
    soft_labels: bool = _bytes(False)  # follows from the layout: build.build sets it
    classes: int = _bytes(8)
    subsets: str = _bytes("manual")
    image_size: int = _bytes(224)
    encoding: str = _bytes("jpeg")
    margin_frac: float = _bytes(0.15)
    align: bool = _bytes(False)
    balance: str = _bytes("median")
    max_copies: int = _bytes(0)
    clean: str = _bytes("none")
    drop_duplicates: bool = _bytes(False)
    num_shards: int = _bytes(0)
    seed: int = _bytes(0)
    num_workers: int = 0
    max_reject_frac: float = 0.01
    overwrite: bool = False
    retry_rejects: bool = False
    dry_run: bool = False

    def __post_init__(self) -> None:
        """Check every value that a rule can be stated for."""
        _require(bool(self.input_dir), "--input_dir must name a folder", "nothing")
        _require(
            self.classes in labels.CLASS_COUNTS,
            f"--classes must be one of {', '.join(map(str, labels.CLASS_COUNTS))}",
            self.classes,
        )
        _require(
            self.subsets in SUBSET_CHOICES,
            f"--subsets must be one of {', '.join(SUBSET_CHOICES)}",
            self.subsets,
        )
        _require(
            self.difficulty in ("all", *labels.DIFFICULTIES),
            f"--difficulty must be one of all, {', '.join(labels.DIFFICULTIES)}",
            self.difficulty,
        )
        _require(
            16 <= self.image_size <= 1024, "--image_size must be 16..1024 pixels", self.image_size
        )
        _require(
            self.encoding in image_codec.ENCODINGS,
            f"--encoding must be one of {', '.join(image_codec.ENCODINGS)}",
            self.encoding,
        )
        _require(
            0 <= self.margin_frac <= 2,
            "--margin_frac must be 0..2 of the box's longer side",
            self.margin_frac,
        )
        _require(
            self.balance in BALANCE_WORDS or (self.balance.isdigit() and int(self.balance) > 0),
            f"--balance must be {', '.join(BALANCE_WORDS)} or a number of pictures per class",
            self.balance,
        )
        _require(
            0 <= self.num_shards <= 99_999,
            "--num_shards must be 1..99999 (0: computed)",
            self.num_shards,
        )
        _require(
            self.max_copies >= 0, "--max_copies must be 1 or more (0: no limit)", self.max_copies
        )
        _require(
            self.clean in label_cleaning.RULES,
            f"--clean must be one of {', '.join(label_cleaning.RULES)}",
            self.clean,
        )
        _require(
            self.num_workers >= 0,
            "--num_workers must be 1 or more (0: all cores)",
            self.num_workers,
        )
        _require(
            0 <= self.max_reject_frac <= 1, "--max_reject_frac must be 0..1", self.max_reject_frac
        )
        name_ok = (
            self.config_name.replace("_", "").replace("-", "").isalnum()
            and self.config_name.isascii()
        )
        _require(
            not self.config_name or name_ok,
            "--config_name may have letters, digits, _ and - only",
            self.config_name,
        )

    def content(self) -> dict[str, Any]:
        """Return the fields that decide what is in the files."""
        fields = dataclasses.fields(self)
        return {
            field.name: getattr(self, field.name) for field in fields if field.metadata.get("bytes")
        }

    def example_settings(self) -> row_example.ExampleSettings:
        """Return the settings that decide an example's bytes, given its row."""
        return row_example.ExampleSettings(
            geometry=face_crop.Geometry(self.image_size, self.margin_frac, self.align),
            encoding=self.encoding,
            soft_labels=self.soft_labels,
        )

    def to_json(self) -> str:
        """Return all fields as JSON."""
        return json.dumps(dataclasses.asdict(self), indent=2, sort_keys=True) + "\n"


def standard_name(config: JobConfig) -> str:
    """Return the name that a build of these flags bears by itself, or "" if it needs one of its
    own.

    A standard name promises its content: affectnet8 is 8 classes, manual annotations, 224 px,
    balanced to the median.
    """
    same = {**config.content(), "num_shards": 0, "seed": 0}
    return next((name for name, promised in _promises().items() if promised == same), "")


def _promises() -> dict[str, dict[str, Any]]:
    """Return what each standard name promises."""
    return {
        f"{stem}{classes}{suffix}": JobConfig(
            input_dir="x", data_dir="", classes=classes, balance=balance, soft_labels=soft_labels
        ).content()
        for stem, soft_labels in (("affectnet", False), ("affectnetplus", True))
        for classes in labels.CLASS_COUNTS
        for balance, suffix in (("median", ""), ("none", "_natural"))
    }


def named(config: JobConfig, *, drawn: bool) -> JobConfig:
    """Return the configuration with its name, which never mixes up drawn faces with real ones.

    Args:
      drawn: whether the input is the drawn sample.

    Raises:
      errors.UserError: if the name given, or the lack of one, could be taken for another build.
    """
    if drawn:
        name = config.config_name or "sample"
        if not name.startswith("sample"):
            raise errors.UserError(
                f"a build of the drawn sample is called sample…: got --config_name={name}; "
                "call it sample, or sample_ and a word of yours"
            )
        return dataclasses.replace(config, config_name=name)
    name = config.config_name or standard_name(config)
    if not name:
        raise errors.UserError(_needs_a_name(config))
    if name.startswith("sample"):
        raise errors.UserError(
            f"names that begin with sample are for drawn faces: got --config_name={name}; choose another"
        )
    if name in _promises() and name != standard_name(config):
        raise errors.UserError(_needs_a_name(config, taken=name))
    return dataclasses.replace(config, config_name=name)


def _needs_a_name(config: JobConfig, taken: str = "") -> str:
    base = taken or f"{'affectnetplus' if config.soft_labels else 'affectnet'}{config.classes}"
    promised = _promises()[base]
    other = {
        k: v
        for k, v in config.content().items()
        if v != promised[k] and k not in ("num_shards", "seed")
    }
    listed, (first, value) = (
        ", ".join(f"{k}={v}" for k, v in other.items()),
        next(iter(other.items())),
    )
    word = str(value) if str(value).isalnum() and not isinstance(value, bool) else first
    suggested = standard_name(config) or f"{base}_{word}"
    return (
        f"{base} stands for one set of flags and {listed} is not among them; "
        f"give this build a name of its own, such as --config_name={suggested}"
    )


def _require(holds: bool, rule: str, value: object) -> None:
    if not holds:
        raise errors.UserError(f"{rule}: got {value}")
