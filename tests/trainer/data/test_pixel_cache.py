import numpy as np
import pytest

from runtime import errors
from trainer.data import pixel_cache

SHAPE = {"num_examples": 5, "size_px": 2}


class Decoder:
    """A decoder that paints an image with its index and remembers what it was asked for."""

    def __init__(self):
        self.asked = []

    def __call__(self, number):
        self.asked.append(number)
        return np.full((2, 2, 3), number, np.uint8)


def painted(numbers):
    return np.broadcast_to(
        np.asarray(numbers, np.uint8)[..., None, None, None], (*np.shape(numbers), 2, 2, 3)
    )


def test_nothing_is_kept_with_none():
    decode = Decoder()
    store = pixel_cache.NoCache(decode, size_px=2)
    for _ in range(2):
        np.testing.assert_array_equal(
            store.take(np.array([[3, 1], [0, 3]])), painted([[3, 1], [0, 3]])
        )
    assert decode.asked == [3, 1, 0, 3] * 2


def test_memory_keeps_what_was_decoded():
    decode = Decoder()
    store = pixel_cache.in_memory(decode, **SHAPE)
    np.testing.assert_array_equal(store.take(np.array([[3, 1]])), painted([[3, 1]]))
    np.testing.assert_array_equal(store.take(np.array([1, 4, 3])), painted([1, 4, 3]))
    assert decode.asked == [3, 1, 4]


class SlowMemory(np.ndarray):
    """Pixels whose first use takes `seconds_each` of a clock."""

    def __setitem__(self, index, image):
        self.clock.now += self.seconds_each
        super().__setitem__(index, image)


class Clock:
    now = 0.0

    def perf_counter(self):
        return self.now


def kept_by_epoch(monkeypatch, *, filling_s, epochs=5):
    """Return how many of 100 images are kept after each epoch; decoding one takes a second."""
    clock = Clock()
    monkeypatch.setattr(pixel_cache, "time", clock)
    pixels = np.zeros((100, 2, 2, 3), np.uint8).view(SlowMemory)
    pixels.clock, pixels.seconds_each = clock, filling_s
    decode = Decoder()

    def slowly(number):
        clock.now += 1
        return decode(number)

    store = pixel_cache.FillingCache(
        slowly, pixels=pixels, when_full=lambda: None, filling_frac=0.5
    )
    counts = []
    for _ in range(epochs):
        before = len(decode.asked)
        for batch in np.split(np.arange(100), 10):
            np.testing.assert_array_equal(store.take(batch), painted(batch))
        counts.append(len(decode.asked) - before)
    return counts


def test_memory_that_is_slow_at_its_first_use_is_filled_over_several_epochs(monkeypatch):
    decoded = kept_by_epoch(monkeypatch, filling_s=2.0)  # Four times what is allowed each image.
    assert decoded[0] == 100 and decoded[4] == 0
    assert all(20 <= one - other <= 30 for one, other in zip(decoded, decoded[1:], strict=False))


def test_memory_that_is_fast_is_filled_in_the_first_epoch(monkeypatch):
    assert kept_by_epoch(monkeypatch, filling_s=0.4) == [100, 0, 0, 0, 0]


def test_a_later_run_finds_on_disk_what_an_earlier_one_finished(tmp_path):
    path = tmp_path / "folder" / "cache"
    pixel_cache.on_disk(Decoder(), path=path, **SHAPE).take(np.arange(5))
    decode = Decoder()
    np.testing.assert_array_equal(
        pixel_cache.on_disk(decode, path=path, **SHAPE).take(np.array([4, 0])), painted([4, 0])
    )
    assert decode.asked == []
    assert [file.name for file in path.parent.iterdir()] == ["cache"]


def test_a_system_that_sets_no_blocks_aside_gets_a_file_of_zeros(tmp_path, monkeypatch):
    monkeypatch.delattr(pixel_cache.os, "posix_fallocate")
    monkeypatch.setattr(pixel_cache, "_ZEROS", bytes(7))
    store = pixel_cache.on_disk(Decoder(), path=tmp_path / "cache", **SHAPE)
    (incomplete,) = tmp_path.iterdir()
    assert incomplete.read_bytes() == bytes(5 * 2 * 2 * 3)
    np.testing.assert_array_equal(store.take(np.arange(5)), painted(np.arange(5)))


def test_a_cache_that_was_not_finished_is_not_used_and_its_file_goes(tmp_path):
    path = tmp_path / "cache"
    store = pixel_cache.on_disk(Decoder(), path=path, **SHAPE)
    store.take(np.array([0, 1, 2, 3]))
    assert not path.exists() and len(list(tmp_path.iterdir())) == 1
    beside = pixel_cache.on_disk(Decoder(), path=path, **SHAPE)
    assert len(list(tmp_path.iterdir())) == 2  # The first one's process lives: its file stays.
    del store, beside
    decode = Decoder()
    pixel_cache.on_disk(decode, path=path, **SHAPE).take(np.arange(5))
    assert decode.asked == [0, 1, 2, 3, 4]
    assert [file.name for file in tmp_path.iterdir()] == ["cache"]


def test_a_disk_without_room_is_refused(tmp_path):
    with pytest.raises(
        errors.UserError, match=r"--cache=disk needs 3000000.0 GB in .*: make room, name another"
    ):
        pixel_cache.on_disk(Decoder(), path=tmp_path / "cache", num_examples=10**9, size_px=1000)
    assert list(tmp_path.iterdir()) == []
