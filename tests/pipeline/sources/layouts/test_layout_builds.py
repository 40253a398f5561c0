"""Builds from layouts other than the 2017 one: content of the records, names of the builds."""

import json
from pathlib import Path

import cv2
import pytest

from affectnet_tfds import example_codec, tfrecord
from pipeline import build, config, verify
from runtime import errors
from tests.pipeline import conftest as releases
from tests.pipeline import test_main
from tests.pipeline.sources.conftest import put
from tests.pipeline.sources.layouts import test_affectnet_2021_npy, test_affectnet_plus

SOFT = test_affectnet_plus.SOFT


def jpeg(index: int) -> bytes:
    return cv2.imencode(".jpg", releases.picture(index, width=80, height=60))[1].tobytes()


def run(root: Path, **fields: object) -> build.Build:
    settings = {
        "config_name": "tiny",
        "image_size": 32,
        "num_workers": 1,
        "balance": "none",
        **fields,
    }
    return test_main.run(
        config.JobConfig(input_dir=str(root), data_dir=str(root / "data"), **settings)
    )


def examples(built: build.Build, split: str) -> list[example_codec.Example]:
    assert built.version
    shards = sorted(built.version.glob(f"*-{split}.tfrecord*"))
    contents = [content for shard in shards for content in tfrecord.records(shard.read_bytes())]
    return [example_codec.parse(content) for content in contents if isinstance(content, bytes)]


@pytest.fixture
def plus(tmp_path) -> Path:
    """Two easy images, a difficult one, and one without a soft label."""
    root = tmp_path / "AffectNet+"
    changes = [{}, {"human-label": 2}, {"subset": 2}, {"soft-label": None}]
    for folder in (test_affectnet_plus.TRAIN, test_affectnet_plus.VALIDATION):
        for index, changed in enumerate(changes):
            test_affectnet_plus.annotate(root, folder, str(index), **changed)
            put(root, f"{folder}/images/{index}.jpg", content=jpeg(index + 10 * len(folder)))
    return root


def test_soft_labels_are_a_feature_of_their_config(plus):
    built = run(plus)
    found = {example.filename[-5:]: example.soft_label for example in examples(built, "train")}
    assert found["0.jpg"] == pytest.approx(SOFT)
    assert [str(number) for number in found["3.jpg"]] == ["nan"] * 8
    assert (
        "soft_label"
        in json.loads((built.version / "features.json").read_text())["featuresDict"]["features"]
    )
    assert verify.verify(built.version) == []


def test_other_layouts_have_no_soft_label(tmp_path):
    put(tmp_path, "train/happy/a.jpg", content=jpeg(1))
    built = run(tmp_path)
    assert [example.soft_label for example in examples(built, "train")] == [()]
    assert "soft_label" not in (built.version / "features.json").read_text()


def test_affectnet_plus_has_a_name_of_its_own(plus):
    assert run(plus, config_name="", image_size=224).config.config_name == "affectnetplus8_natural"
    with pytest.raises(
        errors.UserError, match="affectnet8 stands for .* such as --config_name=affectnetplus8$"
    ):
        run(plus, config_name="affectnet8", image_size=224, balance="median")


def test_rows_of_another_difficulty_are_dropped_and_accounted_for(plus):
    built = run(plus, difficulty="easy")
    assert len(examples(built, "train")) == 3
    assert {(line.split, line.dropped) for line in built.account.lines if line.dropped} == {
        ("train", 1),
        ("validation", 1),
    }
    assert all(line.closes for line in built.account.lines)


def test_a_box_in_fractions_is_cut_where_it_is(tmp_path):
    for split in ("train", "val"):
        put(tmp_path, f"{split}/images/a.jpg", content=jpeg(len(split)))
        put(tmp_path, f"{split}/labels/a.txt", content="0 0.5 0.4 0.5 0.4\n1 0.5 0.5 1 1\n")
    put(tmp_path, "data.yaml", content="names: [Anger, Happy]\n")
    built = run(tmp_path)
    by_label = {example.label: example for example in examples(built, "train")}
    assert by_label[6].bbox == pytest.approx((0.2, 0.25, 0.6, 0.75))
    assert by_label[1].bbox == pytest.approx((0, 0, 1, 1))
    assert sorted(example.filename for example in by_label.values()) == [
        "train/images/a.jpg",
        "train/images/a.jpg#2",
    ]
    assert built.report["boxes"] == {"fractions": 4}


def test_a_test_split_is_published_beside_the_others(tmp_path):
    for index, split in enumerate(("train", "val", "test")):
        put(tmp_path, f"{split}/happy/a.jpg", content=jpeg(index))
    built = run(tmp_path)
    assert [len(examples(built, split)) for split in ("train", "validation", "test")] == [1, 1, 1]
    assert verify.verify(built.version) == []


def test_rejects_of_small_files_are_in_the_ledger(tmp_path):
    for index in range(4):
        put(tmp_path, f"train_set/images/{index}.jpg", content=jpeg(index))
        test_affectnet_2021_npy.annotate(tmp_path, "train_set", str(index))
    (tmp_path / "train_set/annotations/2_aro.npy").unlink()
    (tmp_path / "train_set/images/3.jpg").unlink()
    built = run(tmp_path, max_reject_frac=0.5)
    assert dict(built.account.reasons()) == {"no annotation": 1, "no such file": 1}
    assert all(line.closes for line in built.account.lines)


def test_the_same_bytes_come_out_for_any_number_of_workers(plus, tmp_path):
    once = test_main.sums(run(plus, num_shards=2).version)
    again = test_main.sums(run(plus, num_shards=2, num_workers=2, config_name="again").version)
    assert once and once == again
