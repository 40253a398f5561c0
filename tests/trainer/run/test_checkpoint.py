import os
import stat

import numpy as np
import pytest

from trainer.run import checkpoint

ARRAYS = {"a/b": np.arange(1000.0, dtype=np.float32), "c": np.int64(3)}


def test_arrays_and_facts_come_back_as_they_were(tmp_path):
    checkpoint.save_step(
        tmp_path, step=5, arrays=ARRAYS, facts={"epoch": 2, "history": [{"loss": 0.1}]}
    )
    arrays, facts = checkpoint.load_newest(tmp_path)
    assert facts == {"epoch": 2, "history": [{"loss": 0.1}]}
    np.testing.assert_array_equal(arrays["a/b"], ARRAYS["a/b"])
    assert arrays["c"] == 3


def test_no_checkpoint_is_none(tmp_path):
    assert checkpoint.load_newest(tmp_path / "absent") is None


def test_the_newest_two_are_kept(tmp_path):
    for step in (1, 2, 10, 3):
        checkpoint.save_step(tmp_path, step=step, arrays=ARRAYS, facts={})
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "step-000000003.npz",
        "step-000000010.npz",
    ]


def test_a_checkpoint_is_on_the_disk_before_an_older_one_is_removed(tmp_path, monkeypatch):
    """After a power failure there must be two: its content is flushed, then its folder's entry."""
    for step in (1, 2):
        checkpoint.save_step(tmp_path, step=step, arrays=ARRAYS, facts={})
    flushed = []

    def record(descriptor):
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        steps = sorted(int(path.stem.removeprefix("step-")) for path in tmp_path.glob("step-*"))
        flushed.append(("folder" if is_folder else "file", steps))

    monkeypatch.setattr(os, "fsync", record)
    checkpoint.save_step(tmp_path, step=3, arrays=ARRAYS, facts={})
    assert flushed == [("file", [1, 2]), ("folder", [1, 2, 3])]


@pytest.mark.parametrize("kept_frac", [0.0, 0.3, 0.9, 0.999])
def test_a_truncated_file_is_passed_over_with_a_sentence(tmp_path, capsys, kept_frac):
    for step in (1, 2):
        checkpoint.save_step(tmp_path, step=step, arrays=ARRAYS, facts={"step": step})
    newest = tmp_path / "step-000000002.npz"
    newest.write_bytes(newest.read_bytes()[: int(kept_frac * newest.stat().st_size)])
    assert checkpoint.load_newest(tmp_path)[1] == {"step": 1}
    assert f"passed over   {newest} is damaged (" in capsys.readouterr().err


def test_a_flipped_bit_is_noticed(tmp_path, capsys):
    for step in (1, 2):
        checkpoint.save_step(tmp_path, step=step, arrays=ARRAYS, facts={"step": step})
    newest = tmp_path / "step-000000002.npz"
    content = bytearray(newest.read_bytes())
    content[content.index(ARRAYS["a/b"][500:510].tobytes())] ^= 1
    newest.write_bytes(content)
    assert checkpoint.load_newest(tmp_path)[1] == {"step": 1}


def test_a_write_that_is_cut_off_leaves_the_file_before_it(tmp_path, monkeypatch):
    checkpoint.write(tmp_path / "best.npz", arrays=ARRAYS, facts={"epoch": 1})

    def cut_off(descriptor):
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", cut_off)
    with pytest.raises(OSError, match="no space left"):
        checkpoint.write(tmp_path / "best.npz", arrays=ARRAYS, facts={"epoch": 2})
    assert checkpoint.read(tmp_path / "best.npz")[1] == {"epoch": 1}
