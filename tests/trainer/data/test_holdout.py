import hashlib

import numpy as np
import pytest

from runtime import errors
from trainer.data import examples, holdout


def test_about_the_asked_share_is_held_out_and_more_holds_out_the_same_and_others():
    names = [f"{i}.jpg" for i in range(4000)]
    tenth, fifth = (holdout.are_held_out(names, frac=frac) for frac in (0.1, 0.2))
    assert tenth.mean() == pytest.approx(0.1, abs=0.015) and fifth.mean() == pytest.approx(
        0.2, abs=0.02
    )
    assert not (tenth & ~fifth).any()


def test_a_name_is_held_out_by_its_salted_hash_on_every_machine():
    digest = hashlib.blake2b(b"affectnet_faces holdout\0a/1.jpg", digest_size=8).digest()
    place = int.from_bytes(digest, "big") / 2**64
    assert holdout.are_held_out(["a/1.jpg"], frac=place + 1e-6).all()
    assert not holdout.are_held_out(["a/1.jpg"], frac=place - 1e-6).any()


def test_all_faces_of_an_image_are_on_one_side():
    for number in range(50):
        names = [f"{number}.jpg", f"{number}.jpg#2", f"{number}.jpg#13"]
        assert len(set(holdout.are_held_out(names, frac=0.5))) == 1


def make_split(names, copies):
    count = len(names)
    return examples.Split(
        name="train",
        size_px=1,
        labels=np.arange(count),
        valence=np.zeros(count, np.float32),
        arousal=np.zeros(count, np.float32),
        read_filenames=lambda: np.array(names),
        copies=np.array(copies),
        positions=np.arange(count),
        fetch=lambda numbers: numbers * 10,
        fetch_exact=lambda numbers: numbers * 100,
    )


def test_all_repeats_of_an_image_are_on_one_side_and_only_the_image_itself_is_held_out():
    names = [f"{i}.jpg" for i in range(50) for _ in range(3)]
    rest, held = holdout.divide(make_split(names, [0, 1, 2] * 50), frac=0.3)
    assert not set(rest.filenames) & set(held.filenames)
    assert len(set(rest.filenames) | set(held.filenames)) == 50
    assert (held.copies == 0).all() and held.name == "holdout" and rest.name == "train"
    assert len(rest.labels) == 3 * len(set(rest.filenames))
    # The epoch is chosen on the pixels of an evaluation.
    first = np.array([0])
    assert rest.fetch(first) == 10 * rest.positions[0]
    assert held.fetch(first) == 100 * held.positions[0]


def test_examples_keep_their_labels_and_images():
    taken = holdout.take(make_split(list("abcd"), [0] * 4), indices=np.array([3, 1]), name="some")
    assert taken.labels.tolist() == [3, 1] and taken.filenames.tolist() == ["d", "b"]
    assert taken.positions.tolist() == [3, 1]
    assert taken.fetch(np.array([[1, 0]])).numpy().tolist() == [[10, 30]]


def test_a_share_that_leaves_nothing_on_one_side_is_refused():
    with pytest.raises(
        errors.UserError,
        match=r"--holdout_frac=0.0001 holds out 0 of 4 images: both sides need some",
    ):
        holdout.divide(make_split(list("abcd"), [0] * 4), frac=0.0001)
