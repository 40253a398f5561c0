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
    groups: str = ""


def _standard_configs() -> list[AffectnetFacesConfig]:
    configs = []
    for stem, classes in (
        *(("affectnet", n) for n in (8, 7, 11)),
        *(("affectnetplus", n) for n in (8, 7, 11)),
    ):
        for balance, suffix in (("median", ""), ("none", "_natural")):
            settings: dict[str, Any] = {
                "classes": classes,
                "balance": balance,
                "soft_labels": stem == "affectnetplus",
            }
            configs.append(
                AffectnetFacesConfig(
                    name=f"{stem}{classes}{suffix}",
                    description=features.config_description(**settings),
                    **settings,
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
    version = folder / name / dataset_paths.VERSION
    if not (version / dataset_paths.JOB_CONFIG).is_file():
        if name != dataset_paths.SAMPLE:
            return None
        return AffectnetFacesConfig(name=name, description=features.DRAWN_DESCRIPTION)
    settings = json.loads((version / dataset_paths.JOB_CONFIG).read_text(encoding="utf-8"))
    info = json.loads((version / dataset_paths.DATASET_INFO).read_text(encoding="utf-8"))
    fields = {
        field: settings[field]
        for field in ("classes", "image_size", "balance", "soft_labels", "encoding")
    }
    fields["groups"] = settings.get("groups", "")
    described = info.get("configDescription") or "built by the job with its user's flags"
    return AffectnetFacesConfig(name=name, description=described, **fields)


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
            f"file_format={file_format.value!r}; leave file_format out; afterwards "
            "python -m pipeline.convert writes the same examples as ArrayRecord, for data_source"
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


class _Info(tfds.core.DatasetInfo):
    """DatasetInfo of what the job wrote: its files stay as they are, with their sums."""

    @property
    def alternative_file_formats(self) -> list[tfds.core.FileFormat]:
        """Return the formats beside TFRecord; TFDS restores them in its protocol buffer alone."""
        names = self.as_proto.alternative_file_formats
        return [tfds.core.FileFormat.from_value(name) for name in names]

    def write_to_directory(self, dataset_info_dir: Any, all_metadata: bool = True) -> None:
        """Write what the code knows, where there is no version yet."""
        if not Path(str(dataset_info_dir), dataset_paths.DATASET_INFO).exists():
            super().write_to_directory(dataset_info_dir, all_metadata=all_metadata)


class AffectnetFaces(tfds.core.GeneratorBasedBuilder):
    """AffectNet's face crops with expression, valence, arousal and landmarks."""

    VERSION = tfds.core.Version(dataset_paths.VERSION)
    RELEASE_NOTES = features.RELEASE_NOTES
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
        return _Info(
            builder=self,
            features=features.features(
                image_size=config.image_size,
                num_classes=config.classes,
                soft_labels=config.soft_labels,
                encoding=config.encoding,
                groups=tuple(features.group_columns(config.groups)),
            ),
            supervised_keys=("image", "label"),
            **self._source(),
        )

    def _source(self) -> dict[str, str]:
        """Return what is known of the data that the config is made of.

        Names of a user's own may be of another data set: TFDS reads that from the version.
        """
        if self.builder_config.name.startswith(dataset_paths.SAMPLE):
            return {"description": features.DRAWN_DESCRIPTION, "license": features.DRAWN_LICENSE}
        if self.builder_config.name not in {known.name for known in self.BUILDER_CONFIGS}:
            return {}
        is_plus = self.builder_config.soft_labels
        return {
            "description": features.DESCRIPTION,
            "homepage": features.HOMEPAGE,
            "citation": features.PLUS_CITATION if is_plus else features.CITATION,
            "license": features.LICENSE,
        }

    def as_dataset(self, *args: Any, **kwargs: Any) -> Any:
        """Return the examples as TFDS does.

        Raises:
          FileNotFoundError: if the config was not built in data_dir.
        """
        self._check_is_there()
        return super().as_dataset(*args, **kwargs)

    def as_data_source(self, *args: Any, **kwargs: Any) -> Any:
        """Return the examples for random access, as TFDS does.

        Raises:
          FileNotFoundError: if the config was not built in data_dir.
          NotImplementedError: if it was not converted.
        """
        self._check_is_there()
        if tfds.core.FileFormat.ARRAY_RECORD not in self.info.available_file_formats():
            config = self.builder_config.name
            raise NotImplementedError(
                f"{self.data_path} has TFRecords, which TFDS does not read by index: 'python -m "
                f"pipeline.convert --data_dir={self._data_dir_root} --config_name={config}' adds "
                "ArrayRecord beside them"
            )
        return super().as_data_source(*args, **kwargs)

    def _check_is_there(self) -> None:
        if not self.is_prepared():
            raise FileNotFoundError(self._no_data())

    def _no_data(self) -> str:
        root, name = self._data_dir_root, f"{self.name}/{self.builder_config.name}"
        return (
            f"no data: {root} (data_dir) holds no {name}; make it from your copy of AffectNet with "
            f"'python -m pipeline.main --input_dir=AFFECTNET --data_dir={root}', or by TFDS with "
            f"'tfds build {name} --imports=affectnet_tfds --manual_dir=AFFECTNET "
            f"--data_dir={root}' (in Python: import affectnet_tfds, and DownloadConfig(manual_dir))"
        )

    def _download_and_prepare(
        self, dl_manager: Any, download_config: Any, *args: Any, **kwargs: Any
    ) -> None:
        """Run the job beside the folder that TFDS expects the files in, then move them there.

        The job's staging folder stays when the job is killed, so that the same call continues.

        Raises:
          ValueError: for an argument that the job does not heed, and for a config of soft labels
            that the copy does not have.
          FileNotFoundError: if there is no copy.
        """
        _check_is_heeded(download_config, file_format=self.info.file_format)
        try:
            copy = str(dl_manager.manual_dir)
        except (
            AssertionError
        ) as error:  # TFDS found none, and does not say where the data would be.
            raise FileNotFoundError(self._no_data()) from error
        # Inside: the builder is the data contract's one user of the job, and readers do without it.
        from pipeline import build, config, console

        root = Path(str(self._data_dir_root)) / ".affectnet_faces_job"
        built = build.build(
            config.JobConfig(
                input_dir=copy,
                data_dir=str(root),
                config_name=self.builder_config.name,
                classes=self.builder_config.classes,
                image_size=self.builder_config.image_size,
                balance=self.builder_config.balance,
                encoding=self.builder_config.encoding,
                groups=self.builder_config.groups,
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
