"""TFDS builder of affectnet_faces: tfds.load, tfds build, download_and_prepare.

It reads what the job published and, asked to generate, runs that same job on the copy of AffectNet
in `manual_dir`. TFDS's own Beam path was rejected: it shuffles pixels, cannot resume, and its bytes
differ from run to run.
"""

import dataclasses
import json
import os
import shutil
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

from affectnet_tfds import dataset_paths, features


@dataclasses.dataclass(kw_only=True)
class AffectnetFacesConfig(tfds.core.BuilderConfig):
    """Settings of a build: the job's flags of the same names (pipeline/config.py)."""

    classes: int = 8
    image_size: int = 224
    balance: str = "median"
    soft_labels: bool = False
    encoding: str = "jpeg"


def _standard_configs() -> list[AffectnetFacesConfig]:
    configs = []
    for stem, classes in (
        *(("affectnet", n) for n in (8, 7, 11)),
        *(("affectnetplus", n) for n in (8, 7, 11)),
    ):
        for balance, suffix, words in (
            ("median", "", "train balanced to the median class"),
            ("none", "_natural", "train as it is"),
        ):
            soft = ", soft labels" if stem == "affectnetplus" else ""
            configs.append(
                AffectnetFacesConfig(
                    name=f"{stem}{classes}{suffix}",
                    description=f"{classes} classes, manual annotations{soft}, {words}",
                    classes=classes,
                    balance=balance,
                    soft_labels=bool(soft),
                )
            )
    return configs


def _dataset_folder(data_dir: Any) -> Path:
    root = dataset_paths.data_dir(data_dir and os.fspath(data_dir))
    return Path(root, dataset_paths.DATASET_NAME).expanduser()


def _published_default(folder: Path) -> str | None:
    """Return the default config that the job published: the sample, until another was built."""
    saved = folder / dataset_paths.DEFAULT_CONFIG
    if not saved.is_file():
        return None
    name: str = json.loads(saved.read_text(encoding="utf-8"))["default_config_name"]
    return name


def _published_config(folder: Path, name: str) -> AffectnetFacesConfig | None:
    """Return a config as the job saved it beside the data; None if there is none."""
    saved = folder / name / dataset_paths.VERSION / dataset_paths.JOB_CONFIG
    if not saved.is_file():
        if name != dataset_paths.SAMPLE:
            return None
        return AffectnetFacesConfig(name=name, description=features.DRAWN_DESCRIPTION)
    settings = json.loads(saved.read_text(encoding="utf-8"))
    fields = {
        field: settings[field]
        for field in ("classes", "image_size", "balance", "soft_labels", "encoding")
    }
    return AffectnetFacesConfig(
        name=name, description="built by the job with its user's flags", **fields
    )


_WAYS_OUT = {
    "max_examples_per_split": "give manual_dir a smaller copy",
    "min_shard_size": "num_shards says how many files train has",
    "max_shard_size": "num_shards says how many files train has",
    "nondeterministic_order": "the order is always that of the seed",
    "beam_runner": "beam_options name a runner",
}
"""Fields of TFDS's DownloadConfig that would change what is written, and what does."""


def _check_is_heeded(download_config: Any, *, file_format: Any) -> None:
    """Refuse what TFDS's callers ask for and the job does not do.

    Raises:
      ValueError: naming the argument, its value and the way out.
    """
    if file_format != tfds.core.FileFormat.TFRECORD:
        raise ValueError(
            "affectnet_faces is written as TFRecords: got "
            f"file_format={file_format.value!r}; leave file_format out, and convert the data "
            "afterwards (tfds convert_format) if they are wanted in another format"
        )
    usual = tfds.download.DownloadConfig()
    for name, way_out in _WAYS_OUT.items():
        given = getattr(download_config, name, None)
        if given != getattr(usual, name, None):
            raise ValueError(
                f"affectnet_faces does not heed DownloadConfig({name}={given!r}): {way_out}"
            )


def _beam_args(download_config: Any) -> list[str]:
    """Return TFDS's beam_options (tfds build --beam_pipeline_options) as flags."""
    options = getattr(download_config, "beam_options", None)
    given = options.get_all_options(drop_default=True) if options else {}
    return [f"--{name}={value}" for name, value in given.items()]


class AffectnetFaces(tfds.core.GeneratorBasedBuilder):
    """AffectNet's face crops with expression, valence, arousal and landmarks."""

    VERSION = tfds.core.Version(dataset_paths.VERSION)
    RELEASE_NOTES = {dataset_paths.VERSION: "First version."}
    BUILDER_CONFIGS = _standard_configs()
    DEFAULT_BUILDER_CONFIG_NAME = "affectnet8"
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "Put your copy of AffectNet, or a link to it, into manual_dir. It is obtained from its "
        f"authors ({features.HOMEPAGE}) and may not be redistributed. The sample config needs "
        "drawn faces there: python -m pipeline.sample."
    )

    @property
    def builder_config(self) -> AffectnetFacesConfig:
        """Return the config, with its own type."""
        config = super().builder_config
        assert isinstance(config, AffectnetFacesConfig)
        return config

    def __init__(self, *, config: Any = None, data_dir: Any = None, **kwargs: Any) -> None:
        """Find, besides the standard configs, those that the job published, and the default."""
        folder = _dataset_folder(data_dir)
        config = config or _published_default(folder)
        if isinstance(config, str) and config not in {known.name for known in self.BUILDER_CONFIGS}:
            config = _published_config(folder, config) or config
        super().__init__(config=config, data_dir=data_dir, **kwargs)

    def _info(self) -> tfds.core.DatasetInfo:
        config = self.builder_config
        return tfds.core.DatasetInfo(
            builder=self,
            description=features.description(config.name),
            features=features.features(
                image_size=config.image_size,
                num_classes=config.classes,
                soft_labels=config.soft_labels,
                encoding=config.encoding,
            ),
            supervised_keys=("image", "label"),
            homepage=features.HOMEPAGE,
            citation=features.CITATION,
        )

    def _download_and_prepare(
        self, dl_manager: Any, download_config: Any, *args: Any, **kwargs: Any
    ) -> None:
        """Run the job beside the folder that TFDS expects the files in, then move them there.

        The job's staging folder stays when the job is killed, so that the same call continues.

        Raises:
          ValueError: for an argument that the job does not heed, and for a config of soft labels
            that the copy does not have.
        """
        _check_is_heeded(download_config, file_format=self.info.file_format)
        # Inside: the builder is the data contract's one user of the job, and readers do without it.
        from pipeline import build, config, console

        root = Path(str(self._data_dir_root)) / ".affectnet_faces_job"
        built = build.build(
            config.JobConfig(
                input_dir=str(dl_manager.manual_dir),
                data_dir=str(root),
                config_name=self.builder_config.name,
                classes=self.builder_config.classes,
                image_size=self.builder_config.image_size,
                balance=self.builder_config.balance,
                encoding=self.builder_config.encoding,
                num_shards=getattr(download_config, "num_shards", None) or 0,
            ),
            listener=console.Console(),
            beam_args=_beam_args(download_config),
        )
        assert built.version
        self._check_soft_labels(built.version)
        for path in built.version.iterdir():
            shutil.move(str(path), str(Path(str(self.data_path), path.name)))
        shutil.rmtree(root)
        self.info.read_from_directory(str(self.data_path))

    def _check_soft_labels(self, version: Any) -> None:
        """Refuse data that have soft labels where the config has none, or the reverse."""
        settings = json.loads((version / dataset_paths.JOB_CONFIG).read_text(encoding="utf-8"))
        there, wanted = settings["soft_labels"], self.builder_config.soft_labels
        if there != wanted:
            raise ValueError(
                f"the copy in manual_dir has {'' if there else 'no '}soft labels: config "
                f"{self.builder_config.name} must have soft_labels={there}, got {wanted}"
            )

    def _split_generators(self, dl_manager: Any, pipeline: Any = None) -> dict[str, Any]:
        raise AssertionError("examples come from the job (_download_and_prepare)")

    def _generate_examples(self, *args: Any, **kwargs: Any) -> Any:
        raise AssertionError("examples come from the job (_download_and_prepare)")
