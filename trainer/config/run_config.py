"""The training program's configuration: frozen, checked when made, saved as JSON beside the model.

Owns every knob with its help text and rule. One section a concern, so that a module is given only
the section it works with; one flat class was rejected because every module would then see, and come
to use, all of it. Names are unique over all sections, so that flags and recipes stay flat.
"""

import dataclasses
import json
import pathlib
from collections.abc import Mapping
from typing import Any

from runtime import errors, fields
from runtime.fields import field
from trainer.config import model_config, recipes, training_config

DATASET = "affectnet_faces"
FILE = "config.json"
"""Name of the saved configuration in a model folder."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Data(fields.Checked):
    """Where the examples are and in what shape they are read."""

    data_dir: str | None = field(
        None,
        f"folder that holds {DATASET}/",
        default_text="TFDS_DATA_DIR, else ~/tensorflow_datasets",
        changes_result=False,
    )
    config_name: str | None = field(
        None,
        "which build of the data set",
        default_text="the data set's own default, or the only one there",
    )
    image_size: int | None = field(
        None, "side of the training picture", unit="pixels", at_least=8, default_text="as stored"
    )
    cache: str = field(
        "auto",
        "where decoded pixels are kept for the next epochs; auto is ram if they fit half the free memory, else none",
        choices=("auto", "none", "ram", "disk"),
        changes_result=False,
    )
    cache_dir: str | None = field(
        None,
        "folder of --cache=disk",
        default_text="~/.cache/affectnet_faces",
        changes_result=False,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Devices(fields.Checked):
    """What the program runs on. Nothing here changes the result beyond the order of float addition."""

    num_gpus: int | None = field(
        None,
        "GPUs to share each batch; 0 is the CPU",
        at_least=0,
        default_text="all there are",
        changes_result=False,
    )
    virtual_devices: int = field(
        1, "logical devices to split the CPU into", at_least=1, at_most=64, changes_result=False
    )
    host_wait_minutes: float = field(
        10.0, "longest time to wait at the start for the other hosts of TF_CONFIG", unit="minutes", at_least=0,
        changes_result=False,
    )  # fmt: skip
    host_stall_minutes: float = field(
        30.0, "with several hosts, stop when a step, or a validation, takes longer: one of them hangs (0: never)",
        unit="minutes", at_least=0, changes_result=False,
    )  # fmt: skip


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run(fields.Checked):
    """Where the run is kept and how often."""

    recipe: str | None = field(
        None,
        f"settings to start from, which flags override: a .yaml file, or one of {', '.join(recipes.names())}",
        changes_result=False,
    )
    model_dir: str = field(
        "runs/latest", "folder of the run; one that was cut off continues", changes_result=False
    )
    checkpoint_minutes: float = field(
        10.0, "longest time between checkpoints, besides the one after each epoch", unit="minutes", at_least=0,
        changes_result=False,
    )  # fmt: skip
    checkpoint_steps: int | None = field(
        None,
        "also a checkpoint after this many steps",
        at_least=1,
        default_text="by time only",
        changes_result=False,
    )
    deterministic: bool = field(
        False,
        "choose operations that repeat bit for bit, some of them slower",
        changes_result=False,
    )
    overwrite: bool = field(
        False, "delete what model_dir holds and start anew", changes_result=False
    )
    dry_run: bool = field(
        False, "train nothing: print the network, shapes, steps and memory, and draw the first batch as the network "
        "sees it", changes_result=False,
    )  # fmt: skip
    find_lr: bool = field(
        False, "train nothing to keep: try rising learning rates, suggest one and draw the loss over them",
        changes_result=False,
    )  # fmt: skip
    profile_steps: tuple[int, ...] = field(
        (), "first and last step to profile, as A,B, for TensorBoard's profiler", unit="steps since the start",
        at_least=1, default_text="none", changes_result=False,
    )  # fmt: skip

    @property
    def is_trial(self) -> bool:
        """Whether no weights are to be kept."""
        return self.dry_run or self.find_lr

    def __post_init__(self) -> None:
        super().__post_init__()
        steps = self.profile_steps
        if steps and not (len(steps) == 2 and steps[0] <= steps[1]):
            raise errors.UserError(
                f"--profile_steps must be the first and the last step, as 10,20: got {_listed(steps)}"
            )
        if self.dry_run and self.find_lr:
            raise errors.UserError("--dry_run trains nothing and --find_lr does: give one of them")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """All of it."""

    data: Data = dataclasses.field(default_factory=Data)
    devices: Devices = dataclasses.field(default_factory=Devices)
    model: model_config.Model = dataclasses.field(default_factory=model_config.Model)
    training: training_config.Training = dataclasses.field(default_factory=training_config.Training)
    optimization: training_config.Optimization = dataclasses.field(
        default_factory=training_config.Optimization
    )
    augmentation: training_config.Augmentation = dataclasses.field(
        default_factory=training_config.Augmentation
    )
    imbalance: training_config.Imbalance = dataclasses.field(
        default_factory=training_config.Imbalance
    )
    selection: training_config.Selection = dataclasses.field(
        default_factory=training_config.Selection
    )
    run: Run = dataclasses.field(default_factory=Run)


SECTIONS: dict[str, type] = {
    "Data": Data,
    "Devices": Devices,
    "Model": model_config.Model,
    "Training": training_config.Training,
    "Optimization": training_config.Optimization,
    "Augmentation": training_config.Augmentation,
    "Imbalance": training_config.Imbalance,
    "Selection": training_config.Selection,
    "Run": Run,
}
"""The sections by the title they have in --help; a title in lower case is the field of `Config`."""


def make(settings: Mapping[str, Any]) -> Config:
    """Build a configuration from flat settings; what is not named keeps its default.

    Raises:
      errors.UserError: for a value outside its rule, or a name that no section has.
    """
    known = [name for section in SECTIONS.values() for name in fields.options(section)]
    for name in settings:
        if name not in known:
            raise errors.UserError(
                f"no setting is called {name}; {errors.nearest(name, known=known)}"
            )
    return Config(
        **{
            title.lower(): _section(section, settings=settings)
            for title, section in SECTIONS.items()
        }
    )


def resolve(given: Mapping[str, Any]) -> Config:
    """Build a configuration from what the command line gives: its recipe's settings, and over them
    its own."""
    name = given.get("recipe")
    return make({**(recipes.load(name) if name else {}), **given})


def flat(config: Config) -> dict[str, Any]:
    """Return the settings as one flat mapping, the inverse of `make`."""
    return {
        name: value
        for section in dataclasses.asdict(config).values()
        for name, value in section.items()
    }


def save(config: Config, *, path: pathlib.Path) -> None:
    """Write the settings as JSON."""
    path.write_text(json.dumps(flat(config), indent=2) + "\n", encoding="utf-8")


def load(path: pathlib.Path) -> Config:
    """Read what `save` wrote."""
    return make(json.loads(path.read_text(encoding="utf-8")))


def difference(old: Config, *, new: Config) -> dict[str, tuple[Any, Any]]:
    """Return the settings that differ and change the result, as name to (old, new)."""
    before, after = flat(old), flat(new)
    matters = {
        n
        for s in SECTIONS.values()
        for n, about in fields.options(s).items()
        if about.changes_result
    }
    return {n: (before[n], after[n]) for n in after if n in matters and before[n] != after[n]}


def _listed(values: tuple[int, ...]) -> str:
    return ",".join(map(str, values))


def _section(section: type, *, settings: Mapping[str, Any]) -> Any:
    values = {}
    for name in fields.options(section):
        if name in settings:
            try:
                values[name] = fields.value_of(settings[name], config_type=section, name=name)
            except ValueError as error:
                raise errors.UserError(f"{name} {error}") from None
    return section(**values)
