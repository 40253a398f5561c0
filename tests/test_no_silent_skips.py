"""Under CI=true every kind of skip is a failure, in one process and in two, but for two marks."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import conftest, no_silent_skips

SKIPS = {
    "test_by_mark.py": """
        import pytest
        @pytest.mark.skipif(True, reason="no Java")
        def test_mark(): pass
        """,
    "test_in_fixture.py": """
        import pytest
        @pytest.fixture(scope="module")
        def browser(): pytest.skip("no browser")
        def test_fixture(browser): pass
        """,
    "test_in_body.py": """
        import pytest
        def test_body(): pytest.skip("no shared data")
        """,
    "test_at_import.py": """
        import pytest
        pytest.importorskip("no_such_module_anywhere")
        def test_import(): pass
        """,
    "test_module_level.py": """
        import pytest
        pytest.skip("no S3 server", allow_module_level=True)
        """,
}
ALLOWED = {
    "test_gpu.py": """
        import pytest
        @pytest.mark.gpu
        @pytest.mark.skipif(True, reason="no GPU")
        def test_gpu(): pass
        """,
    "test_torch.py": """
        import pytest
        @pytest.mark.torch
        def test_torch(): pytest.skip("torch is not installed")
        """,
    "test_xfail.py": """
        import pytest
        @pytest.mark.xfail(strict=True)
        def test_xfail(): raise AssertionError
        """,
}


def run(folder, files, *, ci, flags=()):
    for name, text in files.items():
        lines = [line[8:] for line in text.splitlines()]
        (folder / name).write_text("\n".join(lines) + "\n")
    (folder / "pytest.ini").write_text(
        "[pytest]\nmarkers =\n gpu: needs a GPU\n torch: needs PyTorch\n"
    )
    environment = {**os.environ, "CI": ci, "PYTHONPATH": str(Path.cwd())}
    for name in [name for name in environment if name.startswith("PYTEST_")]:
        del environment[name]
    command = [sys.executable, "-m", "pytest", "-q", "-p", no_silent_skips.__name__, *flags]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("flags", [[], ["-n2"]], ids=["one process", "two processes"])
def test_every_kind_of_skip_fails_the_run_under_ci(flags, tmp_path):
    done = run(tmp_path, SKIPS, ci="true", flags=[*flags, "--continue-on-collection-errors"])
    assert done.returncode == 1, done.stdout
    for reason in ("no Java", "no browser", "no shared data", "no_such_module", "no S3 server"):
        assert re.search(rf"{no_silent_skips.MESSAGE}: .*{reason}", done.stdout), done.stdout


@pytest.mark.parametrize("name", ["test_at_import.py", "test_in_fixture.py"])
def test_a_single_skip_is_enough(name, tmp_path):
    done = run(tmp_path, {name: SKIPS[name]}, ci="true")
    assert done.returncode in (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED)


def test_elsewhere_a_skip_is_a_skip(tmp_path):
    done = run(tmp_path, SKIPS, ci="")
    assert "5 skipped" in done.stdout and "failed" not in done.stdout


def test_tests_of_a_gpu_or_pytorch_may_skip_and_expected_failures_are_no_skips(tmp_path):
    done = run(tmp_path, ALLOWED, ci="true")
    assert done.returncode == 0, done.stdout
    assert "2 skipped, 1 xfailed" in done.stdout


def test_the_files_that_come_first_are_there():
    assert [name for name in conftest.LONGEST if not (conftest.TESTS / name).is_file()] == []
