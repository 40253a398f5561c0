"""Damaged checkpoints, one fault at a time: noticed, set aside, never another error."""

import dataclasses
import errno
import io
import json
import pathlib
import random
import zipfile

import numpy as np
import pytest

from runtime import errors
from trainer.run import checkpoint, trained_run

ARRAYS = {f"weight/{i:03d}/v": np.arange(35.0, dtype=np.float32).reshape(5, 7) for i in range(4)}
FLIPS = 400


def written(path: pathlib.Path) -> bytes:
    checkpoint.write(path, arrays=ARRAYS, facts={"step": 9, "data": "x"})
    return path.read_bytes()


def archive(**entries: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        for name, each in entries.items():
            file.writestr(f"{name}.npy", each)
    return content.getvalue()


def npy(array: np.ndarray, *, pickled: bool = False) -> bytes:
    content = io.BytesIO()
    np.lib.format.write_array(content, array, allow_pickle=pickled)
    return content.getvalue()


def bomb() -> bytes:
    content = io.BytesIO()
    np.savez_compressed(content, zeros=np.zeros(10**8, np.uint8))
    return content.getvalue()


def facts(text: bytes) -> bytes:
    return archive(**{"facts.json": npy(np.frombuffer(text, np.uint8))})


def with_method(content: bytes, method: int) -> bytes:
    """Return an archive whose directory names another compression of its last entry."""
    changed = bytearray(content)
    changed[changed.rfind(b"PK\x01\x02") + 10] = method
    return bytes(changed)


DAMAGE = {
    "nothing in it": lambda whole: b"",
    "cut": lambda whole: whole[: len(whole) // 2],
    "text": lambda whole: b"<html>not found</html>",
    "a bomb of 100 MB": lambda whole: bomb(),
    "another compression": lambda whole: with_method(whole, 8),
    "a compression that is unknown": lambda whole: with_method(whole, 99),
    "a header of 1e15 numbers": lambda whole: archive(
        x=npy(np.zeros(3)).replace(b"(3,)", b"(%d,)" % 10**15)
    ),
    "pickled objects": lambda whole: archive(x=npy(np.array([{}], object), pickled=True)),
    "no facts": lambda whole: archive(x=npy(np.zeros(3))),
    "facts that are a list": lambda whole: facts(b"[]"),
    "facts of brackets": lambda whole: facts(b"[" * 10**5),
    "a number of 9,999 digits": lambda whole: facts(b"[%s]" % (b"9" * 9999)),
    "an entry that is no array": lambda whole: archive(x=b"\x93NUMPY"),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_whatever_is_wrong_with_a_file_is_damage(damage, tmp_path):
    path = tmp_path / "best.npz"
    path.write_bytes(damage(written(path)))
    with pytest.raises(checkpoint.Damaged, match="."):
        checkpoint.read(path)


def test_no_flipped_bit_and_no_cut_gives_other_arrays_or_another_error(tmp_path):
    path = tmp_path / "step-000000009.npz"
    whole = written(path)
    bits = random.Random(0).sample(range(8 * len(whole)), k=FLIPS)
    noticed = 0
    for bit in bits:
        content = bytearray(whole)
        content[bit // 8] ^= 1 << bit % 8
        noticed += not reads_as_written(bytes(content), path=path)
    assert noticed > FLIPS / 2  # The others are in dates, padding and attributes.
    assert not any(reads_as_written(whole[:end], path=path) for end in range(0, len(whole), 29))


def reads_as_written(content: bytes, *, path: pathlib.Path) -> bool:
    """Return False where the content is damaged; fail where it is read as something else."""
    path.write_bytes(content)
    try:
        arrays, read = checkpoint.read(path)
    except checkpoint.Damaged:
        return False
    assert read == {"step": 9, "data": "x"}
    assert arrays.keys() == ARRAYS.keys()
    assert all(arrays[name].tobytes() == ARRAYS[name].tobytes() for name in ARRAYS)
    return True


def test_where_all_are_damaged_the_next_ones_are_kept_and_the_damaged_ones_are_set_aside(
    tmp_path, capsys
):
    for step in (90, 100):
        checkpoint.save_step(tmp_path, step=step, arrays=ARRAYS, facts={"step": step})
    checkpoint.keep_best(tmp_path, step=100)
    content = {path.name: path.read_bytes()[:50] for path in tmp_path.iterdir()}
    for name, cut in content.items():
        (tmp_path / name).write_bytes(cut)
    assert checkpoint.load_newest(tmp_path) is None
    said = capsys.readouterr().err
    for name, cut in content.items():
        assert (tmp_path / f"{name}.damaged").read_bytes() == cut
        assert f"{name} is damaged (" in said and f"it is kept as {name}.damaged\n" in said
    checkpoint.save_step(tmp_path, step=5, arrays=ARRAYS, facts={"step": 5})
    checkpoint.keep_best(tmp_path, step=5)
    assert checkpoint.load_newest(tmp_path)[1] == {"step": 5}


def test_what_was_just_written_is_never_removed_for_a_later_step_that_is_there(tmp_path):
    for step in (100, 90, 5):
        checkpoint.save_step(tmp_path, step=step, arrays=ARRAYS, facts={"step": step})
    assert (tmp_path / "step-000000005.npz").exists()


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.EACCES])
def test_an_error_of_the_disk_is_no_damage_and_sets_nothing_aside(number, tmp_path, monkeypatch):
    checkpoint.save_step(tmp_path, step=1, arrays=ARRAYS, facts={})
    path = tmp_path / "step-000000001.npz"

    def fail(self):
        raise OSError(number, "no")

    monkeypatch.setattr(pathlib.Path, "read_bytes", fail)
    with pytest.raises(OSError) as raised:
        checkpoint.load_newest(tmp_path)
    assert raised.value.filename == str(path)
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_of_8_gb_is_refused_by_its_size(tmp_path):
    path = tmp_path / "best.npz"
    with path.open("wb") as file:
        file.truncate(8 * 2**30)
    with pytest.raises(errors.UserError, match="it has 8,590 MB, and the arrays here take no more"):
        checkpoint.read(path, most_bytes=10**6)


@pytest.mark.parametrize("damage", ["cut", "a bomb of 100 MB", "another compression"])
def test_damaged_weights_are_refused_when_the_run_is_opened(damage, photo_run, tmp_path):
    path = tmp_path / "best.npz"
    for name in ("config.json", "data.json", "best.npz"):
        (tmp_path / name).write_bytes((photo_run.model_dir / name).read_bytes())
    assert trained_run.find(str(tmp_path)).data == photo_run.data
    path.write_bytes(DAMAGE[damage](path.read_bytes()))
    with pytest.raises(errors.UserError) as no:
        trained_run.find(str(tmp_path))
    assert str(no.value).startswith(f"cannot read {path} (")
    assert "writes it anew from a checkpoint of its epoch" in str(no.value)


def test_settings_of_a_run_that_are_damaged_name_a_way_out_that_loses_nothing(photo_run, tmp_path):
    settings = json.loads((photo_run.model_dir / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**settings, "epochz": 3}))
    with pytest.raises(errors.UserError) as no:
        trained_run.find(str(tmp_path))
    assert "no setting is called epochz; did you mean epochs?" in str(no.value)
    assert "remove it and give the trainer.main command that began the run" in str(no.value)


def test_damaged_metrics_are_refused_with_the_command_that_writes_them_anew(photo_run, tmp_path):
    run = dataclasses.replace(photo_run, model_dir=tmp_path)
    assert run.metrics() is None
    (tmp_path / "metrics.json").write_text('{"accuracy": 0.')
    with pytest.raises(errors.UserError, match="cannot read .*metrics.json .*trainer.evaluate"):
        run.metrics()
