"""What README.md names exists: every flag of every command, every make target, every file."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import config

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = sorted(
    set(re.findall(r"python -m ((?:pipeline|trainer)\.\w+)((?: --\w+(?:=\S+)?)*)", README))
)
MODULES = sorted({module for module, _ in COMMANDS})


def flags_of(text: str) -> set[str]:
    return set(re.findall(r"--(\w+)", text))


def test_the_readme_names_the_programs():
    assert {
        "pipeline.main",
        "pipeline.verify",
        "trainer.main",
        "trainer.evaluate",
        "trainer.baseline",
    } <= set(MODULES)


@pytest.mark.slow
@pytest.mark.parametrize("module", MODULES)
def test_every_flag_of_a_command_is_in_its_help(module):
    named = {flag for name, given in COMMANDS if name == module for flag in flags_of(given)}
    if module == "pipeline.main":
        named |= set(re.findall(r"^\| `--(\w+)`", README, flags=re.MULTILINE))
    shown = subprocess.run(
        [sys.executable, "-m", module, "--help"], capture_output=True, text=True, check=False
    ).stdout
    assert named <= flags_of(shown.replace("--[no]", "--")), shown


def test_every_make_target_is_there():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    assert set(re.findall(r"make ([a-z-]+)", README)) - {"it"} <= targets


def test_every_link_leads_to_a_file():
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if not link.startswith("http")]
    assert links and all((ROOT / link).exists() for link in links)


@pytest.mark.parametrize(
    ("given", "is_drawn"), [([], True), (["AFFECTNET_DIR=/data/AffectNet"], False)]
)
def test_the_build_that_is_measured_may_be_called_as_make_bench_calls_it(given, is_drawn):
    environment = {name: value for name, value in os.environ.items() if name != "AFFECTNET_DIR"}
    done = subprocess.run(
        ["make", "-n", "bench", *given], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    (name,) = set(re.findall(r"--config_name=(\w+)", done.stdout))
    made = config.JobConfig(
        input_dir="/data/AffectNet", data_dir="/data", config_name=name, balance="2500"
    )
    assert config.named(made, drawn=is_drawn).config_name == name
    assert f"affectnet_faces/{name}/1.0.0" in done.stdout
