"""The program trainer.audit: what it refuses before TensorFlow is imported."""

import importlib.util

import pytest

from runtime import errors, flags
from trainer import audit


@pytest.fixture
def start(monkeypatch, data_dir, tmp_path):
    """Return a function that starts the program with these flags."""

    def run(**given):
        asked = {"data_dir": str(data_dir), "output_dir": str(tmp_path / "audit"), **given}
        monkeypatch.setattr(
            flags,
            "given",
            lambda sections: {
                name: value
                for name, value in asked.items()
                if any(name in kind.__dataclass_fields__ for kind in sections.values())
            },
        )
        audit.main()

    return run


def test_several_hosts_are_refused(start, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", "{}")
    with pytest.raises(errors.UserError, match="an audit runs on one host: start it without TF_"):
        start(num_gpus=0)


def test_cleanlab_is_asked_for_before_hours_of_training(start, monkeypatch, tmp_path):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "cleanlab" else find(name)
    )
    with pytest.raises(errors.UserError, match=r"trainer\.audit needs cleanlab: .*\[audit\]"):
        start(num_gpus=0)
    assert not (tmp_path / "audit").exists()


def test_a_batch_that_the_replicas_cannot_share_is_refused(start):
    with pytest.raises(errors.UserError, match="batch_size"):
        start(num_gpus=0, virtual_devices=3, batch_size=16)
