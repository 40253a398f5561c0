"""The session of README.md is what `make demo` prints, and further commands work on what it leaves.

The demo's own commands are taken from the Makefile and run on fewer and smaller images; what they
print is compared with the page line by line, all but figures.
"""

import os
import pathlib
import re
import shlex
import subprocess

import pytest

from tests import documents, programs

README = documents.PAGES["README.md"]
SMALLER = {"--num_images=3000": "--num_images=400", "--balance=400": "--balance=48"}
"""Flags of `make demo` in the Makefile, and what takes their place here."""

QUICK = ["--image_size=24", "--epochs=12", "--learning_rate=0.004"]
"""Given to the demo's training too."""

FACES = "build/demo/affectnet/Manually_Annotated/Manually_Annotated_Images"
DEMO_DATA = "--data_dir=build/demo/data"
RUN = {
    "python -m pipeline.main --input_dir=/path/to/AffectNet --dry_run": (
        f"python -m pipeline.main --input_dir=build/demo/affectnet {DEMO_DATA} --dry_run"
    ),
    f"python -m trainer.main {DEMO_DATA} --model_dir=runs/first --recipe=demo --epochs=4": (
        f"python -m trainer.main {DEMO_DATA} --model_dir=runs/first --recipe=demo --epochs=1 "
        "--image_size=24"
    ),
    "python -m trainer.evaluate --model_dir=build/demo/run": "",
    "python -m trainer.compare build/demo/run runs/first": "",
    "python -m trainer.compare runs/first runs/second": (
        "python -m trainer.compare runs/first build/demo/run"
    ),
    f"python -m trainer.predict {FACES}/1 --model_dir=runs/first": "",
    "python -m trainer.export --model_dir=build/demo/run --format=keras": "",
    "python -m trainer.export --model_dir=RUN --format=keras": (
        "python -m trainer.export --model_dir=runs/first --format=keras"
    ),
    f"python -m pipeline.verify {DEMO_DATA}": "",
    f"python -m pipeline.convert {DEMO_DATA}": "",
}
"""Commands of the pages that are run here, in order; and as what, where that is quicker, or they
name files of the reader's."""


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """What `make demo` prints, and the folder that it was run in."""
    folder = tmp_path_factory.mktemp("demo")
    steps = subprocess.run(
        ["make", "--no-print-directory", "-n", "demo", "BUILD=build"],
        cwd=documents.ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    lines = steps[steps.index(".venv/bin/python -c") :].splitlines()  # After an installation.
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        printed = "".join(_printed(line) for line in lines)
    return printed, folder


def _printed(line: str) -> str:
    """Run a line of the Makefile's demo; return what it prints."""
    words = [SMALLER.get(word, word) for word in shlex.split(line)]
    if words[1] != "-m":
        command = line.replace(".venv/bin/python", "python3")
        return subprocess.run(
            command, shell=True, capture_output=True, text=True, check=True
        ).stdout
    pipe = words.index("|") if "|" in words else len(words)
    module, flags = words[2], words[3:pipe]
    if module == "trainer.main":
        flags += QUICK
    done = programs.run(module, *flags)
    assert done.returncode == 0, done.stderr
    return done.stdout if pipe == len(words) else done.stdout.splitlines()[-1] + "\n"


def figureless(line: str) -> str:
    """Return a line with # for its figures and bars, and single spaces."""
    line = re.sub(r"limited by [a-z ]+(?=\()", "limited by # ", line)
    line = re.sub(r"fingerprint [0-9a-f]+", "fingerprint #", line)
    line = re.sub(r"[━█░#]+", "#", line)
    line = re.sub(r"\d[\d,.:]*(-\d+)?", "#", line)
    return " ".join(line.split())


def session() -> list[str]:
    """Return the lines that README.md shows, without those of the installation."""
    shown = README.partition("$ make demo\n")[2].partition("```")[0].splitlines()
    return [line for line in shown if "environment   installing" not in line]


def differences(shown: list[str], printed: list[str]) -> list[str]:
    """Return the shown lines that are not printed where they are shown; … skips printed ones."""
    wanted = [figureless(line) for line in shown]
    there = [figureless(line) for line in printed]
    at = 0
    for number, block in enumerate(_blocks(wanted)):
        places = range(at, len(there)) if number else [0]
        matching = {place: _num_equal(block, there[place:]) for place in places}
        best = max(matching, key=matching.__getitem__, default=0)
        if matching.get(best, 0) < len(block):
            return block[matching.get(best, 0) :][:1]
        at = best + len(block)
    return [] if at == len(there) else [f"printed and not shown: {printed[at]}"]


def _blocks(lines: list[str]) -> list[list[str]]:
    """Return the lines between those that are …, in blocks."""
    blocks: list[list[str]] = [[]]
    for line in lines:
        if line == "…":
            blocks.append([])
        else:
            blocks[-1].append(line)
    return blocks


def _num_equal(block: list[str], there: list[str]) -> int:
    """Return how many lines are equal from the first on."""
    pairs = zip(block, there, strict=False)
    return next(
        (i for i, (one, other) in enumerate(pairs) if one != other), min(len(block), len(there))
    )


@pytest.mark.slow
def test_the_session_of_the_readme_is_what_the_demo_prints(demo):
    # So few images may leave a class that is never predicted, which is a line more.
    printed = re.sub(r"\n\n(never predicted|without examples)[^\n]*", "", demo[0])
    assert differences(session(), printed.splitlines()) == []


def test_a_line_that_is_not_printed_is_noticed():
    printed = ["plan          8 classes", "a 1", "a 2", "b 3", "done"]
    assert differences(["plan  7 classes", "a 9", "…", "b 3", "done"], printed) == []
    assert differences(["plan  7 classes", "…", "a 9", "b 3", "done"], printed) == []
    assert differences(["plan  7 class", "a 9", "…", "done"], printed) == ["plan # class"]
    assert differences(["plan  7 classes", "a 9", "b 3", "done"], printed) == ["b #"]
    assert differences(["plan  7 classes", "…", "b 3"], printed) == ["printed and not shown: done"]
    assert differences(["plan  7 classes", "…", "c 3", "done"], printed) == ["c #"]


@pytest.mark.slow
@pytest.mark.parametrize("command", RUN)
def test_a_command_of_the_pages_works_on_what_the_demo_leaves(command, demo, monkeypatch):
    monkeypatch.chdir(demo[1])
    _, _, module, *words = shlex.split(RUN[command] or command)
    done = programs.run(module, *words)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_the_examples_of_the_api_run_in_order(demo, monkeypatch):
    """In one process, as in a notebook, after the demo and an export."""
    folder = demo[1]
    photos = folder / "build/demo/photos"
    photos.mkdir(exist_ok=True)
    for path in sorted((folder / FACES).rglob("*.jpg"))[:2]:
        (photos / path.name).write_bytes(path.read_bytes())
    monkeypatch.chdir(folder)
    if not pathlib.Path("build/demo/run/export/keras/model.keras").exists():
        programs.run("trainer.export", "--model_dir=build/demo/run", "--format=keras")
    programs.run("pipeline.convert", "--data_dir=build/demo/data")  # Nothing where it was run.
    blocks = documents.blocks(documents.PAGES["docs/api.md"], language="python")
    (folder / "examples.py").write_text("\n".join(blocks))
    monkeypatch.syspath_prepend(folder)
    done = programs.run("examples")
    assert done.returncode == 0, done.stderr
    assert os.fspath(pathlib.Path("build/demo/api_run")) in done.stdout
    assert "evaluated     validation accuracy" in done.stdout
