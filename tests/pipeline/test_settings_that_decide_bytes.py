"""Every setting changes the bytes of the shards exactly when its field says so."""

import dataclasses
import functools
import shutil
from pathlib import Path
from typing import NamedTuple

import cv2
import pytest

from affectnet_tfds.peers import crops
from pipeline import build, config
from runtime import fields
from tests.pipeline import conftest, test_main
from tests.pipeline.sources.conftest import put
from tests.pipeline.sources.layouts import test_affectnet_plus

SETTINGS = [f.name for f in dataclasses.fields(config.JobConfig)]
DERIVED = {"soft_labels", "exclude_sha256", "relabel_sha256"}
"""Settings that no flag sets: the layout, or the content of a file, decides them."""

LISTS = {"csv": "train=a.csv,validation=v.csv"}

# Setting → (release, other value). A release is a function below, with its own plain settings.
OTHER = {
    "input_dir": ("affectnet", "copy"),
    "data_dir": ("affectnet", "elsewhere"),
    "config_name": ("affectnet", "tiny_2"),
    "layout": ("affectnet", "2017"),
    "csv": ("lists", "train=b.csv,validation=v.csv"),
    "columns": ("lists", "path=image,label=second"),
    "labels": ("lists", "0=happy,1=neutral"),
    "pictures": ("lists", "others/{stem}.jpg"),
    "difficulty": ("plus", "easy"),
    "classes": ("affectnet", 11),
    "subsets": ("affectnet", "all"),
    "image_size": ("affectnet", 48),
    "encoding": ("affectnet", "png"),
    "margin_frac": ("affectnet", 0.5),
    "align": ("affectnet", True),
    "like": ("affectnet", "hsemotion"),
    "balance": ("affectnet", "none"),
    "max_copies": ("affectnet", 1),
    "clean": ("affectnet", "emonet"),
    "drop_duplicates": ("affectnet", True),
    "scan": ("affectnet", "all"),
    "num_shards": ("affectnet", 2),
    "seed": ("affectnet", 7),
    "num_workers": ("affectnet", 2),
    "max_reject_frac": ("affectnet", 1.0),
    "overwrite": ("affectnet", True),
    "retry_rejects": ("affectnet", True),
    "dry_run": ("affectnet", True),
    "groups": ("affectnet", "brightness"),
    "follow_links": ("affectnet", True),
    "validation_frac": ("unsplit", 0.5),
    "validation_fold": ("unsplit", 1),
    "exclude": ("unsplit", "filename\ntrain/happy/0.jpg\n"),
    "relabel": ("unsplit", "filename,given,suggested\ntrain/happy/0.jpg,happy,sad\n"),
}


def jpeg(index: int) -> bytes:
    """An image that no other index has."""
    return cv2.imencode(".jpg", conftest.picture(index, width=80, height=60))[1].tobytes()


def unsplit(root: Path) -> tuple[Path, dict[str, object]]:
    """Class folders without splits."""
    for index in range(16):
        file = root / "release" / ("happy", "sad")[index % 2] / f"{index}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(jpeg(index))
    return root / "release", {"validation_frac": 0.25}


def affectnet(root: Path) -> tuple[Path, dict[str, object]]:
    """Rows of both subsets, some of whose files are identical."""
    release = conftest.ReleaseWriter(root / "release")
    paths = [release.add("training", label) for label in (0, 0, 0, 0, 0, 1, 1, 2, 2, 6, 8)]
    for original, copy in ((0, 1), (7, 8)):  # Neutral, and both rows of sad.
        content = (release.images / paths[original]).read_bytes()
        (release.images / paths[copy]).write_bytes(content)
    for label in (0, 1, 2, 6):
        release.add("validation", label)
    release.write()
    lists = release.root / "Automatically_annotated_file_list"
    lists.mkdir()
    table = (release.root / "Manually_Annotated_file_lists" / "training.csv").read_text()
    (lists / "automatically_annotated.csv").write_text("\n".join(table.splitlines()[:4]) + "\n")
    shutil.copytree(
        release.images,
        release.root / "Automatically_Annotated" / "Automatically_Annotated_Images",
    )
    return release.root, {}


def lists(root: Path) -> tuple[Path, dict[str, object]]:
    """Lists of another form: two for train, with two columns of labels, and two sets of images."""
    folder = root / "release"
    for index in range(12):
        put(folder, f"{index}.jpg", content=jpeg(index))
        put(folder, f"others/{index}.jpg", content=jpeg(100 + index))
    for name, indices in (("a", range(6)), ("b", range(3, 9)), ("v", range(9, 12))):
        rows = [f"{index}.jpg,{index % 2},{(index + 1) % 3}" for index in indices]
        (folder / f"{name}.csv").write_text("\n".join(["image,emotion,second", *rows]) + "\n")
    return folder, {**LISTS, "columns": "path=image,label=emotion"}


def plus(root: Path) -> tuple[Path, dict[str, object]]:
    """AffectNet+ with easy and difficult images."""
    folder = root / "release"
    for part in (test_affectnet_plus.TRAIN, test_affectnet_plus.VALIDATION):
        for index, changed in enumerate([{}, {}, {"subset": 2}]):
            test_affectnet_plus.annotate(folder, part, str(index), **changed)
            content = jpeg(index + 10 * len(part))
            put(folder, f"{part}/images/{index}.jpg", content=content)
    return folder, {}


RELEASES = {made.__name__: made for made in (affectnet, lists, plus, unsplit)}


def content_of(built: build.Build) -> dict[str, str]:
    assert built.version
    return test_main.sums(built.version)


class Plain(NamedTuple):
    """A release built with its own plain settings; every test of it compares with this build."""

    config: config.JobConfig
    built: build.Build


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """Return the plain build of a kind of release; each is made once."""

    @functools.cache
    def make(kind: str) -> Plain:
        folder = tmp_path_factory.mktemp(kind)
        root, settings = RELEASES[kind](folder)
        wanted = config.JobConfig(
            **{
                "input_dir": str(root),
                "data_dir": str(folder / "data"),
                "config_name": "tiny",
                "image_size": 32,
                "num_workers": 1,
                **settings,
            }
        )
        return Plain(wanted, test_main.run(wanted))

    return make


def changed(plain: config.JobConfig, name: str, folder: Path) -> config.JobConfig:
    """The plain configuration with another value of one setting."""
    value = OTHER[name][1]
    if name == "input_dir":
        value = str(shutil.copytree(plain.input_dir, folder / "copy"))
    if name == "data_dir":
        value = str(folder / "elsewhere")
    if name in config.LISTS:
        (folder / "list.csv").write_text(value)
        value = str(folder / "list.csv")
    if name == "like":
        return dataclasses.replace(plain, **crops.SETTINGS[value], like=value)
    return dataclasses.replace(plain, **{name: value})


def test_another_value_of_every_setting_is_tried_below():
    assert set(OTHER) | DERIVED == set(SETTINGS)
    assert set(SETTINGS) - set(fields.options(config.JobConfig)) == DERIVED


@pytest.mark.parametrize("name", [name for name in SETTINGS if name not in DERIVED])
def test_a_setting_changes_the_bytes_exactly_when_it_is_part_of_the_content(plain, tmp_path, name):
    wanted, before = plain(OTHER[name][0])
    other = changed(wanted, name, tmp_path)
    if name == "retry_rejects":  # It is for a build that is published.
        published = shutil.copytree(wanted.data_dir, tmp_path / "published")
        after = test_main.run(dataclasses.replace(other, data_dir=str(published)))
    elif name == "dry_run":
        assert test_main.run(other).version is None
        after = before
    else:
        after = test_main.run(dataclasses.replace(other, data_dir=str(tmp_path / "other")))
    assert (content_of(before) != content_of(after)) == (
        name in {**wanted.content(), **other.content()}
    )


def test_a_new_setting_decides_the_bytes_unless_it_says_that_it_does_not():
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Wider(config.JobConfig):
        blur_px: int = fields.field(0, "a new setting")
        verbose: bool = fields.field(False, "another one", changes_result=False)

    content = Wider(input_dir="in").content()
    assert content["blur_px"] == 0 and "verbose" not in content
