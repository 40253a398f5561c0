"""Programs that share one import of TensorFlow print and end as `python -m` does."""

import subprocess
import sys

import pytest

from tests import programs


@pytest.mark.parametrize("flags", [["--help"], ["--epochs=many"], ["--data_dir={folder}"]])
def test_a_program_prints_and_ends_as_it_does_by_itself(flags, tmp_path):
    flags = [flag.format(folder=tmp_path) for flag in flags]
    alone = subprocess.run(
        [sys.executable, "-m", "trainer.main", *flags], capture_output=True, text=True, check=False
    )
    forked = programs.run("trainer.main", *flags)
    assert (forked.returncode, forked.stdout) == (alone.returncode, alone.stdout)
    assert forked.stderr == alone.stderr


def test_a_program_has_the_environment_and_the_folder_of_its_test(tmp_path, monkeypatch):
    (tmp_path / "asked.py").write_text("import os\nprint(os.environ['ASKED'], os.getcwd())\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("ASKED", "yes")
    assert programs.run("asked").stdout == f"yes {tmp_path}\n"


def test_a_program_that_takes_too_long_is_killed_and_named(tmp_path, monkeypatch):
    (tmp_path / "sleeps.py").write_text("import time\ntime.sleep(60)\n")
    monkeypatch.syspath_prepend(tmp_path)
    program = programs.Program("sleeps", "--for=ever")
    with pytest.raises(TimeoutError, match="sleeps --for=ever ran longer than 0.1 s"):
        program.wait(0.1)
    program._process.join(10)
    assert program._process.exitcode == -9
