"""Version to describe: what TFDS's files, Croissant and the data set card are written from."""

import collections
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from affectnet_tfds import dataset_paths, features, labels
from pipeline.metadata import data_sets


class Version(NamedTuple):
    """A build that is about to be published."""

    config_name: str
    settings: Mapping[str, Any]  # config.JobConfig.content()
    about: data_sets.DataSet
    sidecars: Sequence[Mapping[str, Any]]  # of all shards

    @property
    def name(self) -> str:
        """Return the name by which TFDS loads it, such as affectnet_faces/affectnet8."""
        return f"{dataset_paths.DATASET_NAME}/{self.config_name}"

    @property
    def class_names(self) -> tuple[str, ...]:
        """Return the names of the classes, by label."""
        return labels.class_names(self.settings["classes"])

    @property
    def groups(self) -> tuple[str, ...]:
        """Return the names of the attributes that examples have."""
        return tuple(features.group_columns(self.settings.get("groups", "")))

    def shards(self) -> dict[str, list[Mapping[str, Any]]]:
        """Return the sidecars of each split, in the order of the shards."""
        by_split: dict[str, list[Mapping[str, Any]]] = {}
        for done in sorted(self.sidecars, key=lambda done: done["name"]):
            split = dataset_paths.parse_shard_name(done["name"]).split
            by_split.setdefault(split, []).append(done)
        return by_split

    def counts(self) -> dict[str, collections.Counter[int]]:
        """Return the number of examples by split and label."""
        found: dict[str, collections.Counter[int]] = {}
        for split, group in self.shards().items():
            found[split] = collections.Counter()
            for done in group:
                found[split].update({int(k): n for k, n in done["label_counts"].items()})
        return found

    def described(self) -> str:
        """Return what the settings are in words, the unusual ones among them."""
        settings = self.settings
        like = settings.get("like", "none")
        crops = (
            "" if settings["image_size"] == 224 else f"{settings['image_size']} px",
            "" if settings["encoding"] == "jpeg" else f"stored as {settings['encoding']}",
            "aligned by landmarks" if settings["align"] and like == "none" else "",
            "" if like == "none" else f"cropped as {like} does",
        )
        return features.config_description(
            classes=settings["classes"],
            balance=settings["balance"],
            soft_labels=settings["soft_labels"],
            subsets=settings["subsets"],
            crops=", ".join(filter(None, crops)),
        )
