"""Perceptual hashes, the search for near ones, and the comparison of pixels."""

import itertools

import cv2
import numpy as np
import pytest

from pipeline.near_duplicates import candidates, groups, hash_file, perceptual_hash, pixels
from tests.pipeline.test_near_duplicates import photograph


def face(index: int) -> np.ndarray:
    return cv2.resize(photograph(index), (128, 128), interpolation=cv2.INTER_AREA)


def distance(one: np.ndarray, other: np.ndarray, *, window: int = 0) -> int:
    """Bits in which a window of one hash and the whole of another differ, not mirrored."""
    even = int(one["even"][window] ^ other["even"][0])
    odd = int(one["odd"][window] ^ other["odd"][0])
    return even.bit_count() + odd.bit_count()


def test_mirroring_inverts_the_odd_bits_and_keeps_the_even():
    one = perceptual_hash.of(face(1))
    other = perceptual_hash.of(np.ascontiguousarray(face(1)[:, ::-1]))
    kept = int(one["even"][0] ^ other["even"][0]).bit_count()
    inverted = int(one["odd"][0] ^ other["odd"][0]).bit_count()
    assert (kept, inverted) == (0, perceptual_hash.NUM_ODD_BITS)


@pytest.mark.parametrize("window", range(1, 10))
def test_each_window_has_the_hash_of_its_crop(window):
    image = cv2.resize(photograph(3), (640, 640), interpolation=cv2.INTER_CUBIC)
    row, column = divmod(window - 1, 3)
    top, left = 16 * row, 16 * column  # Of 32 pixels that a crop of 95 % leaves.
    crop = np.ascontiguousarray(image[top : top + 608, left : left + 608])
    whole, part = perceptual_hash.of(image), perceptual_hash.of(crop)
    distances = [distance(whole, part, window=number) for number in range(1, 10)]
    assert distances[window - 1] == min(distances) <= 8


def test_a_flat_image_has_no_hash_and_is_near_to_nothing():
    flat = perceptual_hash.of(np.full((64, 64, 3), 90, np.uint8))
    assert not flat["even"].any() and not flat["odd"].any()
    assert len(candidates.pairs(np.array([flat, flat]))) == 0


def test_contrast_of_four_gray_levels_is_what_a_hash_needs():
    stripes = np.full((32, 32), 90, np.uint8)
    stripes[::2] = 98  # Their standard deviation is 4 exactly.
    paler = stripes.copy()
    paler[0, 0] = 97
    found = perceptual_hash.of_thumbnails(np.stack([stripes, paler]))
    assert [bool(one["even"].any() or one["odd"].any()) for one in found] == [True, False]


def test_rows_of_a_shard_are_hashed_together_as_each_alone():
    rows = hash_file.SeenRows()
    for number in range(20):  # More than are hashed at once.
        rows.add(f"{number}.jpg", face(number), start=100 * number, label=number % 8)
    found = rows.rows(["19.jpg", "never added.jpg", "3.jpg"])
    last, third = perceptual_hash.of(face(19)), perceptual_hash.of(face(3))
    for kind in ("even", "odd"):
        alone = [last[kind].tolist(), [0] * 10, third[kind].tolist()]
        assert found[kind].tolist() == alone
    assert found["start"].tolist() == [1900, 0, 300]
    assert found["label"].tolist() == [3, 0, 3]


def hashes(*words: tuple[int, int]) -> np.ndarray:
    found = np.zeros(len(words), perceptual_hash.HASH)
    for row, (even, odd) in enumerate(words):
        found["even"][row], found["odd"][row] = even, odd
    return found


EVEN, ODD = 0x5A3C96F00F69C3A0, 0x0FF0A5A5C3C33C30


@pytest.mark.parametrize(("odd_bits", "found"), [(12, [(0, 1, False)]), (13, [])])
def test_pairs_have_at_most_fourteen_bits_that_differ(odd_bits, found):
    near = (EVEN ^ (0b11 << 20), ODD ^ (((1 << odd_bits) - 1) << 10))
    assert candidates.pairs(hashes((EVEN, ODD), near)).tolist() == found


def test_a_pair_is_mirrored_where_more_odd_bits_differ_than_agree():
    inverted = ((1 << 60) - 1) << 4
    assert candidates.pairs(hashes((EVEN, ODD), (EVEN ^ (1 << 20), ODD ^ inverted))).tolist() == [
        (0, 1, True)
    ]


def test_a_window_is_compared_with_the_whole_of_others():
    found = hashes((EVEN, ODD), (~EVEN & (2**64 - 1), ODD))
    assert candidates.pairs(found).tolist() == []
    found["even"][1][7], found["odd"][1][7] = EVEN, ODD
    assert candidates.pairs(found).tolist() == [(0, 1, False)]


def test_a_picture_that_is_there_often_is_chained():
    often = hashes(*[(EVEN, ODD)] * 5_000)
    assert candidates.pairs(often).tolist() == [(i, i + 1, False) for i in range(4_999)]


def test_one_band_of_many_rows_is_searched_nearby_only(monkeypatch):
    monkeypatch.setattr(candidates, "MOST_IN_BUCKET", 4)
    index = candidates._Index(
        np.arange(100),
        np.arange(100, dtype=np.uint64) | np.uint64(EVEN & ~0xFF),
        np.arange(40, 58, dtype=np.uint64),
    )
    which, rows = index.lookup(np.array([50, 0, 99], np.uint64) | np.uint64(EVEN & ~0xFF))
    assert [rows[which == n].tolist() for n in range(3)] == [
        [48, 49, 50, 51],
        [0, 1, 2, 3],
        [96, 97, 98, 99],
    ]


def test_the_index_finds_the_pairs_that_comparing_all_finds():
    faces = [face(index) for index in range(40)]
    copies = [cv2.GaussianBlur(image, (0, 0), 1.5) for image in faces]
    found = np.array([perceptual_hash.of(image) for image in faces + copies])
    wanted = [
        (one, other)
        for one, other in itertools.combinations(range(80), 2)
        if distance(found[one], found[other]) <= candidates.NEAR_BITS
    ]
    assert [(one, other) for one, other, _ in candidates.pairs(found).tolist()] == wanted
    assert {(i, i + 40) for i in range(40)} <= set(wanted)


def test_pixels_tell_one_picture_from_another_of_the_same_low_frequencies():
    small = perceptual_hash.thumbnail(face(1), side=pixels.SIDE)
    blurred = cv2.GaussianBlur(small, (0, 0), 4).astype(np.float64)
    detail = perceptual_hash.thumbnail(face(2), side=pixels.SIDE).astype(np.float64)
    detail -= cv2.GaussianBlur(detail, (0, 0), 4)
    other = np.clip(blurred + detail, 0, 255).astype(np.uint8)
    darker = (small * 0.7).astype(np.uint8)
    flipped = np.ascontiguousarray(darker[:, ::-1])
    part = cv2.resize(small[1:62, 2:63], (64, 64), interpolation=cv2.INTER_CUBIC)

    def are_one(one: np.ndarray, another: np.ndarray, *, mirrored: bool = False) -> bool:
        return pixels.are_one(pixels.detail(one), pixels.detail(another), mirrored=mirrored)

    assert not are_one(small, other)
    assert are_one(small, darker)
    assert are_one(small, flipped, mirrored=True)
    assert not are_one(small, flipped)
    assert are_one(small, part)
    assert are_one(part, small)


def test_a_group_is_all_that_is_connected_in_whatever_order():
    contents = np.array([b"a", b"b", b"c", b"c", b"d", b"a"])
    pairs = hashes(*[(0, 0)] * 6)
    found = groups.find(pairs, contents, thumbnails=lambda rows: [None] * len(rows))
    assert [group.tolist() for group in found] == [[0, 5], [2, 3]]
    joined = groups._Components()
    joined.join([(4, 2), (1, 0), (2, 1)])
    assert [group.tolist() for group in joined.groups()] == [[0, 1, 2, 4]]


def test_pairs_whose_image_cannot_be_read_are_not_confirmed():
    pair = np.array([(0, 1, False)], candidates.PAIR)
    image = perceptual_hash.thumbnail(face(1), side=pixels.SIDE)
    assert list(groups.confirmed(pair, thumbnails=lambda rows: [image, image])) == [(0, 1)]
    assert list(groups.confirmed(pair, thumbnails=lambda rows: [image, None])) == []
