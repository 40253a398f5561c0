"""Validation split of data that have none: folds of subjects or images, refusals, identity."""

import dataclasses

import pytest

from pipeline import build, config
from pipeline.rows import validation_split
from pipeline.sources.layouts import registry
from runtime import errors
from tests.pipeline.sources.conftest import put, recognise

SUBJECTS = [f"S{number:03d}" for number in range(23)]


def test_folds_of_subjects_are_disjoint_alike_in_size_and_cover_all():
    folds = [
        validation_split.of_subjects(SUBJECTS, frac=0.2, fold=fold, seed=0) for fold in range(5)
    ]
    assert sorted(name for fold in folds for name in fold) == SUBJECTS
    assert {len(fold) for fold in folds} == {4, 5}


def test_a_fold_of_few_subjects_is_not_empty():
    assert len(validation_split.of_subjects(["KA", "YM"], frac=0.1, fold=9, seed=0)) == 1


def test_every_image_is_in_one_fold_whatever_the_other_images_are():
    for number in range(200):
        name = f"happy/{number}.jpg"
        folds = [
            fold
            for fold in range(4)
            if validation_split.is_held_out(name, validation_split.Holdout(0.25, fold, seed=1))
        ]
        assert len(folds) == 1


def held_out(root, frac=0.2) -> dict[str, set[str]]:
    """Return the images of each split of class folders, of which a part is held out."""
    release = recognise(root)
    rule = registry.holdout(release, frac=frac, fold=0, seed=0)
    found: dict[str, set[str]] = {"train": set(), "validation": set()}
    for part in release.parts():
        for item in registry.read(release.root, part):
            found[registry.in_split(item, part, rule).split].add(item.path)
    return found


def test_folders_in_class_folders_are_subjects_which_stay_together(tmp_path):
    people = [f"S{number:03d}" for number in range(10)]
    put(tmp_path, *(f"CK/{face}/{who}/{i}.png" for face in ("happy", "sad") for who in people
                    for i in range(3)))  # fmt: skip
    put(tmp_path, *(f"CK/happy/{number}.png" for number in range(40)))  # Of nobody: by image.
    found = held_out(tmp_path)
    of_subjects = {
        split: {path.split("/")[2] for path in paths if path.count("/") == 3}
        for split, paths in found.items()
    }
    assert len(of_subjects["validation"]) == 2
    assert of_subjects["train"] | of_subjects["validation"] == set(people)
    assert not of_subjects["train"] & of_subjects["validation"]
    assert all(any(path.count("/") == 2 for path in paths) for paths in found.values())


def test_names_of_ck_plus_in_class_folders_say_the_subject(tmp_path):
    put(tmp_path, *(f"CK+48/{face}/S{who:03d}_00{i}_00000014.png" for face in ("happy", "sadness")
                    for who in range(10) for i in range(3)))  # fmt: skip
    held, rest = (
        {path.rpartition("/")[2][:4] for path in held_out(tmp_path)[split]}
        for split in ("validation", "train")
    )
    assert len(held) == 2 and len(rest) == 8 and not held & rest


def test_too_few_folders_for_a_validation_split_are_no_subjects(tmp_path):
    put(tmp_path, *(f"{face}/part{i % 2}/{i}.png" for face in ("happy", "sad") for i in range(60)))
    found = held_out(tmp_path)
    assert all({path.split("/")[1] for path in paths} == {"part0", "part1"}
               for paths in found.values())  # fmt: skip
    assert 10 < len(found["validation"]) < 40


def test_the_seed_decides_who_is_held_out():
    of_seed = [
        validation_split.of_subjects(SUBJECTS, frac=0.2, fold=0, seed=seed) for seed in (0, 1)
    ]
    assert of_seed[0] != of_seed[1]


def test_the_default_is_no_part_of_a_builds_identity_and_another_value_is():
    job = config.JobConfig(input_dir="x")
    assert not {"validation_frac", "validation_fold"} & job.content().keys()
    other = dataclasses.replace(job, validation_frac=0.2)
    assert other.content() == {**job.content(), "validation_frac": 0.2}
    one, two = (
        {"settings": settings.content(), "annotations_sha256": ""} for settings in (job, other)
    )
    assert build.differences(one, two) == ["validation_frac=None (now 0.2)"]
    assert build.differences(two, one) == ["validation_frac=0.2 (now None)"]


def test_a_fold_that_is_not_there_is_refused():
    with pytest.raises(errors.UserError, match="must be 0..4 with --validation_frac=0.2: got 5"):
        config.JobConfig(input_dir="x", validation_frac=0.2, validation_fold=5)


def test_data_with_a_validation_split_are_refused(tmp_path):
    put(tmp_path, "train/happy/a.jpg", "val/happy/b.jpg")
    with pytest.raises(errors.UserError, match="has a validation split; leave the flag out"):
        build.check_has_no_validation(recognise(tmp_path))
    put(tmp_path / "one", "mine.csv", content="image,label,split\na.jpg,1,val\nb.jpg,1,train\n")
    put(tmp_path / "one", "a.jpg")
    with pytest.raises(errors.UserError, match="has a validation split"):
        build.check_has_no_validation(recognise(tmp_path / "one", csv="mine.csv"))
