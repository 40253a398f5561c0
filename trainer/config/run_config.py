"""Configuration of a training run: frozen, checked when made, saved as JSON beside the model.

Owns every option with its help text and rule. One section a concern, so that a module is given only
the section it works with; one flat class was rejected because every module would then read, and
come to use, all of it. Names are unique over all sections, so that flags and recipes stay flat.
"""

import dataclasses
import json
import pathlib
from collections.abc import Mapping
from typing import Any

from affectnet_tfds import dataset_paths
from runtime import atomic_file, errors, fields, installation, untrusted
from runtime.fields import field
from trainer.config import model_config, recipes, training_config

FILE = "config.json"
"""Name of the saved configuration in a model folder."""

_MEND = (
    "restore it from a backup; or remove it and give the trainer.main command that began the run "
    "(journal.json has it), which writes it anew and continues; or train anew with --overwrite"
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Data(fields.Checked):
    """Data set, image size and pixel cache."""

    data_dir: str | None = field(
        None,
        f"folder that contains {dataset_paths.DATASET_NAME}/",
        default_text=dataset_paths.DATA_DIR_TEXT,
        path="folder",
        changes_result=False,
    )
    config_name: str | None = field(
        None,
        "build (TFDS config) of the data set",
        default_text="the data set's own default, or the only one there",
    )
    image_size: int | None = field(
        None,
        "side to which images are resized for training",
        unit="pixels",
        at_least=8,
        default_text="as stored",
    )
    crop_px: int | None = field(
        None,
        "side of the part of each image that the network is given: in training a random one, in "
        "evaluation the middle, or the ten of --tta=ten_crop",
        unit="pixels",
        at_least=8,
        default_text="the whole image",
    )
    cache: str = field(
        "auto",
        "cache of decoded images for the epochs after the first; auto is ram if they fit in half "
        "of the free memory, else none",
        choices=("auto", "none", "ram", "disk"),
        changes_result=False,
    )
    cache_dir: str | None = field(
        None,
        "folder of --cache=disk",
        path="folder",
        default_text="~/.cache/affectnet_faces",
        changes_result=False,
    )
    verify_data: bool = field(
        False,
        "read every record at the start, and compare it with its checksum and its shard's index; "
        "else an image's checksum is compared when it is read",
        changes_result=False,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Devices(fields.Checked):
    """Devices and hosts. Nothing here changes the result beyond the order of float addition."""

    num_gpus: int | None = field(
        None,
        "number of GPUs, which share each batch; 0 uses the CPU",
        at_least=0,
        default_text="all of this machine",
        changes_result=False,
    )
    virtual_devices: int = field(
        1,
        "number of logical devices that the CPU (--num_gpus=0) or one GPU (--num_gpus=1) is split "
        "into, to try the path of several devices",
        at_least=1,
        at_most=64,
        changes_result=False,
    )
    host_wait_minutes: float = field(
        10.0,
        "longest time to wait at the start for the other hosts of TF_CONFIG",
        unit="minutes",
        at_least=0,
        changes_result=False,
    )
    host_stall_minutes: float = field(
        30.0,
        "with several hosts: stop when a step, or an evaluation, takes longer, because a host "
        "hangs (0: never)",
        unit="minutes",
        at_least=0,
        changes_result=False,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run(fields.Checked):
    """Model folder, checkpoints and trial runs."""

    recipe: str | None = field(
        None,
        "settings to start from, which flags override: a .yaml file, or one of "
        f"{', '.join(recipes.names())}",
        path="file",
        words=tuple(recipes.names()),
        changes_result=False,
    )
    model_dir: str = field(
        "runs/latest",
        "folder of the run; an interrupted run is continued",
        path="folder",
        changes_result=False,
    )
    checkpoint_minutes: float = field(
        10.0,
        "longest time between checkpoints, besides the one after each epoch",
        unit="minutes",
        at_least=0,
        changes_result=False,
    )
    checkpoint_steps: int | None = field(
        None,
        "also save a checkpoint every so many steps",
        at_least=1,
        default_text="by time only",
        changes_result=False,
    )
    deterministic: bool = field(
        False,
        "use deterministic operations, which repeat bit for bit; some are slower",
        changes_result=False,
    )
    overwrite: bool = field(
        False, "delete the run in model_dir and start a new one", changes_result=False
    )
    dry_run: bool = field(
        False,
        "do not train: print the network, shapes, steps and memory, and save an image of the "
        "first augmented batch",
        changes_result=False,
    )
    find_lr: bool = field(
        False,
        "learning-rate range test: train a few steps at rising learning rates, suggest one and "
        "plot the loss over them; no weights are saved",
        changes_result=False,
    )
    profile_steps: tuple[int, ...] = field(
        (),
        "first and last step to profile for TensorBoard, as A,B",
        unit="steps since the start",
        at_least=1,
        default_text="none",
        changes_result=False,
    )
    log_to: tuple[str, ...] = field(
        (),
        "experiment trackers that settings and metrics are logged to, besides TensorBoard's files "
        "and history.csv",
        choices=("mlflow", "wandb"),
        default_text="none",
        changes_result=False,
    )

    @property
    def is_trial(self) -> bool:
        """Whether no weights are to be saved."""
        return self.dry_run or self.find_lr

    def __post_init__(self) -> None:
        super().__post_init__()
        steps = self.profile_steps
        if steps and not (len(steps) == 2 and steps[0] <= steps[1]):
            listed = ",".join(map(str, steps))
            raise errors.UserError(
                f"--profile_steps must be the first and the last step, as 10,20: got {listed}"
            )
        if self.dry_run and self.find_lr:
            raise errors.UserError("--dry_run trains nothing and --find_lr does: give one of them")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """All sections of the configuration."""

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
    targets: training_config.Targets = dataclasses.field(default_factory=training_config.Targets)
    selection: training_config.Selection = dataclasses.field(
        default_factory=training_config.Selection
    )
    run: Run = dataclasses.field(default_factory=Run)

    def __post_init__(self) -> None:
        self._check_early_learning()
        model = self.model
        is_flat = model.model == "cnn" and model.pooling == "flatten"
        if self.training.progressive_px and (is_flat or model.model in model_config.BACKBONES):
            way_out = " --pooling=mean" if is_flat else " --model=resnet_small"
            raise errors.UserError(
                f"--progressive_px trains on images of several sizes, which --model={model.model} "
                f"does not take{' with --pooling=flatten' if is_flat else ''}: use{way_out}"
            )

    def _check_early_learning(self) -> None:
        """Refuse what early-learning regularisation cannot have: see `clashes`."""
        if self.imbalance.loss != "early_learning":
            return
        clashes = {
            "mixup": "mixes images, and the running predictions are of single ones",
            "cutmix": "mixes images, and the running predictions are of single ones",
            "sam_rho": "computes each step twice, and running predictions move once a step",
            "jit": "compiles a step whose running predictions are kept outside of it",
        }
        for name, reason in clashes.items():
            if flat(self)[name]:
                raise errors.UserError(
                    f"--loss=early_learning and --{name} do not go together: the latter {reason}; "
                    "leave out one of them"
                )


SECTIONS: dict[str, type] = {
    "Data": Data,
    "Devices": Devices,
    "Model": model_config.Model,
    "Training": training_config.Training,
    "Optimization": training_config.Optimization,
    "Augmentation": training_config.Augmentation,
    "Imbalance": training_config.Imbalance,
    "Targets": training_config.Targets,
    "Selection": training_config.Selection,
    "Run": Run,
}
"""The sections by their title in --help; a title in lower case is the field of `Config`."""


def make(settings: Mapping[str, Any]) -> Config:
    """Build a configuration from flat settings; settings that are not named keep their default.

    Raises:
      errors.UserError: for a value outside its rule, or a name that no section has.
    """
    settings = _renamed(settings)
    known = [name for section in SECTIONS.values() for name in fields.options(section)]
    for name in settings:
        if name not in known:
            hint = errors.guess(name, known=known) or f"{installation.doc('flags.md')} lists them"
            raise errors.UserError(f"no setting is called {name}; {hint}")
    return Config(
        **{
            title.lower(): _section(section, settings=settings)
            for title, section in SECTIONS.items()
        }
    )


def _renamed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with the names of today; 0.1.0 had --tta_flip for --tta=flip."""
    settings = dict(settings)
    if "tta_flip" in settings:
        settings.setdefault("tta", "flip" if settings.pop("tta_flip") else "none")
    return settings


def resolve(given: Mapping[str, Any]) -> Config:
    """Build a configuration from a recipe's settings and the command line's, which win."""
    name = given.get("recipe")
    if not name:
        return make(given)
    recipe = recipes.load(name)
    try:
        return make({**recipe, **given})
    except errors.UserError as error:
        if str(error) == _refusal(recipe):
            raise errors.UserError(f"--recipe={name}: {error}") from None
        raise


def _refusal(settings: Mapping[str, Any]) -> str:
    """Return why settings are refused by themselves, or ""."""
    try:
        make(settings)
    except errors.UserError as error:
        return str(error)
    return ""


def flat(config: Config) -> dict[str, Any]:
    """Return the settings as one flat mapping, the inverse of `make`."""
    return {
        name: value
        for section in dataclasses.asdict(config).values()
        for name, value in section.items()
    }


def save(config: Config, *, path: pathlib.Path) -> None:
    """Write the settings as JSON, atomically: a truncated file would refuse every later start.

    Paths are written absolute, so that the run can be evaluated from any folder.
    """
    text = json.dumps(flat(_located(config)), indent=2) + "\n"
    atomic_file.replace(path, content=text.encode())


def load(path: pathlib.Path) -> Config:
    """Load the settings that `save` wrote.

    Raises:
      errors.UserError: if the file is no JSON, or its settings are not ours.
    """
    try:
        settings = untrusted.read_json_object(path)
        if "model" not in settings:  # All others may be of a later release than the run.
            raise ValueError("there is no model among its settings")
    except ValueError as error:
        raise errors.UserError(f"cannot read {path} as JSON ({error}): {_MEND}") from None
    try:
        return make(settings)
    except errors.UserError as error:
        raise errors.UserError(f"{path} is damaged ({error}): {_MEND}") from None


def difference(old: Config, *, new: Config) -> dict[str, tuple[Any, Any]]:
    """Return the settings that differ and change the result, as name to (old, new)."""
    before, before_located = flat(old), flat(_located(old))
    after, after_located = flat(new), flat(_located(new))
    return {
        name: (before[name], after[name])
        for name in decisive()
        # A saved path is absolute, and the same one on the command line need not be.
        if before[name] != after[name] and before_located[name] != after_located[name]
    }


def decisive() -> list[str]:
    """Return the names of the settings that change the result."""
    return [
        name
        for section in SECTIONS.values()
        for name, option in fields.options(section).items()
        if option.changes_result
    ]


def _located(config: Config) -> Config:
    """Return the configuration with absolute paths, that of the data set by default too."""
    data = dataclasses.replace(config.data, data_dir=dataset_paths.data_dir(config.data.data_dir))
    sections = {f.name: getattr(config, f.name) for f in dataclasses.fields(config)}
    return Config(
        **{name: fields.absolute(section) for name, section in {**sections, "data": data}.items()}
    )


def _section(section: type, *, settings: Mapping[str, Any]) -> Any:
    values = {}
    for name in fields.options(section):
        if name in settings:
            try:
                values[name] = fields.value_of(settings[name], config_type=section, name=name)
            except ValueError as error:
                raise errors.UserError(f"{name} {error}") from None
    return section(**values)
