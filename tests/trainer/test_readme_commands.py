"""The commands that README.md gives after the demo, run as they stand on a small demo."""

import pathlib
import re
import shlex
import shutil
import subprocess

import pytest

from tests import programs

ROOT = pathlib.Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = re.search(r"On the demo's data, as they stand:\n\n```\n(.*?)```", README, re.DOTALL)


@pytest.fixture
def demo(data_dir, photo_run, tmp_path, monkeypatch):
    """A folder in which `make demo` seems to have run, the current one."""
    (tmp_path / "build/demo").mkdir(parents=True)
    (tmp_path / "build/demo/data").symlink_to(data_dir)
    shutil.copytree(photo_run.model_dir, tmp_path / "build/demo/run")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
def test_the_commands_after_the_demo_work_as_they_stand(demo):
    assert COMMANDS
    commands = [shlex.split(line) for line in COMMANDS[1].splitlines()]
    assert len(commands) > 3
    for program, *words in commands:
        if program == "python":
            done = programs.run(words[1], *words[2:])
        else:  # What make would run is run in other tests.
            done = subprocess.run(
                [program, "-n", *words], cwd=ROOT, capture_output=True, text=True, check=False
            )
        assert done.returncode == 0, done.stderr
    assert (demo / "runs/first/report.html").is_file() and (demo / "comparison.html").is_file()


def test_the_demo_names_the_same_commands():
    said = subprocess.run(
        ["make", "-n", "demo"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert COMMANDS
    *_, trained, compared, _ = re.findall(r'echo "[ a-z]{14}(.*)"', said)
    assert trained in COMMANDS[1] and compared in COMMANDS[1]
