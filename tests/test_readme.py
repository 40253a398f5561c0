"""README.md, CONTRIBUTING.md and docs/: every command, flag, make target, path and link exists."""

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from docs import flag_reference, folder_map
from pipeline import config

ROOT = Path(__file__).resolve().parent.parent
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in [
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")),
        *sorted((ROOT / "docs").glob("*.md")),
    ]
}
README = PAGES["README.md"]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
COMMAND = re.compile(r"python -m ((?:pipeline|trainer)\.\w+)((?:[ \\\n]+--\w+(?:=\S+)?)*)")
COMMANDS = {
    (module, flag)
    for page in PAGES.values()
    for module, given in COMMAND.findall(page)
    for flag in re.findall(r"--(\w+)", given)
}
PROGRAMS = sorted(
    f"{package}.{path.stem}"
    for package in ("pipeline", "trainer")
    for path in (ROOT / package).glob("*.py")
    if '__name__ == "__main__"' in path.read_text(encoding="utf-8")
)
BEAM = {
    "job_endpoint",
    *("environment_cache_millis", "environment_config", "environment_type", "flagfile"),
    *("flink_job_server_jar", "flink_master", "flink_version", "label", "max_num_workers"),
    *("parallelism", "project", "region", "runner", "sdk_worker_parallelism", "setup_file"),
    "job_server_jvm_properties",
    *("spark_job_server_jar", "spark_master_url", "spark_version", "temp_location"),
}
"""Flags of Beam and its engines, and absl's --flagfile, which our programs pass on."""

OTHER_TOOLS = re.compile(r"\b(curl|docker|pip|tensorboard|tfds build)\b[^`\n]*(\\\n[^\n]*)*")
"""Commands whose flags are not ours."""

OTHERS = {
    *("data_dir", "config_name", "seeds", "trainer_flag", "work_dir", "version_dir"),  # benchmarks
    *("help", "version", "name", "noname", "rest_port"),  # all; deploy/flink/cluster.py
    *("folder", "webui_port"),  # deploy/spark/cluster.py
    *("gpus", "shm", "user"),  # docker's, outside of a command
    *("config", "imports"),  # TFDS's, likewise
    *("check", "minutes", "mutants"),  # sha256sum; tests/faults
}


def test_the_readme_names_the_programs():
    named = {module for module, _ in COMMAND.findall(README)}
    assert {"pipeline.main", "pipeline.verify", "trainer.main", "trainer.evaluate"} <= named
    assert set(PROGRAMS) >= named


def test_the_labels_of_the_printed_session_are_those_of_the_programs():
    session = README.partition("$ make demo\n")[2].partition("```")[0]
    labels = {line[:14] for line in session.splitlines() if re.match(r"[a-z][a-z ]{12} \S", line)}
    assert len(labels) > 10 and "published     " in labels
    sources = [
        path
        for name in ("pipeline", "trainer", "synthetic_faces")
        for path in (ROOT / name).rglob("*.py")
    ]
    printed = MAKEFILE + "".join(path.read_text(encoding="utf-8") for path in sources)
    # Some are padded where they are printed.
    missing = {label for label in labels if label not in printed}
    assert {label for label in missing if f'"{label.strip()}"' not in printed} == set()


def test_every_flag_that_a_page_names_is_one_of_a_program():
    programs = flag_reference.programs()
    known = BEAM | OTHERS | {name for each in programs for name in flag_reference.declared(each)}
    known |= set(re.findall(r"^\| `--(\w+)`", PAGES["docs/flags.md"], flags=re.MULTILINE))
    for name, page in PAGES.items():
        ours = OTHER_TOOLS.sub("", page)
        assert set(re.findall(r"(?<![\w-])--([a-z]\w+)", ours)) <= known, name


def test_every_make_target_is_there():
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, flags=re.MULTILINE))
    for name, page in PAGES.items():
        named = set(re.findall(r"(?:`|^|\$ )make ([a-z-]+)", page, flags=re.MULTILINE))
        assert named <= targets, name


def test_every_link_leads_to_a_file_and_a_heading():
    for name, page in PAGES.items():
        links = [link for link in re.findall(r"\]\(([^)]+)\)", page) if "://" not in link]
        for link in links:
            file, _, heading = link.partition("#")
            path = (ROOT / name).parent / file if file else ROOT / name
            assert path.exists(), f"{name}: {link}"
            if heading:
                lines = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
                assert heading in {_anchor(line) for line in lines}, f"{name}: {link}"


def _anchor(heading: str) -> str:
    """Return the anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_every_path_of_ours_that_a_page_names_is_there():
    packages = {path.split("/")[0] for path in folder_map.packages()} | {"deploy", "docs"}
    ours = "|".join(sorted(packages))
    for name, page in PAGES.items():
        paths = re.findall(rf"`((?:{ours})/[\w./-]*)`", page)
        assert [path for path in paths if not (ROOT / path).exists()] == [], name


def test_the_hooks_before_a_commit_run_what_make_lint_runs():
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    hooks = {hook["entry"].removesuffix(" --force-exclude") for hook in repository["hooks"]}
    assert hooks == {
        f".venv/bin/python -m {tool}" for tool in ("ruff check", "ruff format", "mypy")
    }
    for tool in ("ruff check .", "ruff format --check .", "mypy"):
        assert f"@$(PY) -m {tool}\n" in MAKEFILE


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
