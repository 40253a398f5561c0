import json
import os
import subprocess
import sys

import pytest

from runtime import errors, machine
from trainer.config import run_config
from trainer.evaluation import metrics_file
from trainer.run import data_provenance, history, run_log


def test_every_start_adds_an_entry_with_command_versions_data_and_revision(
    make_ctx, tmp_path, monkeypatch
):
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "trainer.main", "--epochs=2"])
    ctx = make_ctx()
    for _ in range(2):
        run_log.record(ctx, model_dir=tmp_path)
    entries = json.loads((tmp_path / run_log.FILE).read_text())
    assert len(entries) == 2
    assert entries[0]["data"]["fingerprint"] == ctx.version.fingerprint
    assert {"python", "tensorflow", "keras", "numpy"} <= entries[0]["versions"].keys()
    assert "-m trainer.main --epochs=2" in entries[0]["command"]
    assert entries[0]["devices"] == "test"
    assert entries[0]["machine"] == machine.describe()
    assert run_log.starts(tmp_path) == entries


def test_the_revision_says_whether_the_code_was_changed_and_is_none_outside_of_git(tmp_path):
    assert run_log.git_revision(tmp_path) is None

    def git(*words):
        who = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
        return subprocess.run(
            ["git", *who, *words], cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout

    git("init")
    (tmp_path / "code.py").write_text("1")
    git("add", ".")
    git("commit", "-m", "one")
    found = run_log.git_revision(tmp_path)
    assert found == {"commit": git("rev-parse", "HEAD").strip(), "changed": False}
    (tmp_path / "code.py").write_text("2")
    assert run_log.git_revision(tmp_path)["changed"]
    (tmp_path / "installed").mkdir()
    assert run_log.git_revision(tmp_path / "installed") is None  # No file of it is git's.


@pytest.mark.parametrize(
    "name, read",
    [
        ("config.json", run_config.load),
        ("journal.json", run_log._entries),
        ("history.csv", history.read_csv),
        ("data.json", lambda path: data_provenance.load(path.parent)),
        ("metrics.json", metrics_file.read),
    ],
)
def test_a_pipe_in_the_place_of_a_file_of_a_run_is_not_waited_for(tmp_path, name, read):
    os.mkfifo(tmp_path / name)
    with pytest.raises((OSError, errors.UserError)) as no:
        read(tmp_path / name)
    assert "named pipe" in str(no.value) or "does not say what it was trained on" in str(no.value)
