"""Command lines of the benchmarks: refused in one sentence with code 2, stopped with all of it."""

import re
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[1]


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True)


PARSE = """
import sys
from absl import flags
from absl.testing import flagsaver
from benchmarks import command_line, {name}
from runtime import errors
for line in sys.argv[1:]:
    try:
        with flagsaver.flagsaver():
            command_line._parse(["", *line.split()])
    except errors.UserError as error:
        print(error)
    else:
        print("taken")
"""


@pytest.mark.parametrize(
    ("name", "cases"),
    [
        (
            "scale",
            {
                "--input_dir=x --num_images=ten": "--num_images.*at least 1.*got 'ten'",
                "--input_dir=x --num_images=20,30": "taken",
                "--input_dir=x --runs=0": "--runs=0: 0 is not a positive integer",
                "--input_dir=x --runners=spark": "--runners.*local, flink.*got 'spark'",
                "--input_dir=x --num_workers=one": "--num_workers.*at least 0.*got 'one'",
                "--input_dir=x --num_workers=1,2": "taken",
                "--input_dir=x --drop_duplicates=2": "--drop_duplicates.*no, yes.*got '2'",
                "--input_dir=x y": "--name=value: got 'y' by itself",
                "": "--input_dir.*must have a value",
            },
        ),
        (
            "plan",
            {
                "--num_rows=100,0": "--num_rows.*at least 1.*got '0'",
                "--runners=": "--runners.*local, flink.*got ''",
                "": "taken",
            },
        ),
        (
            "start_up",
            {"--version_dir=x --work_dir=y --records=-1": "--records.*at least 1.*got '-1'"},
        ),
        (
            "kills",
            {
                "--input_dir=x --work_dir=y --gap_s=30,3": "--gap_s.*least first: got 30,3",
                "--input_dir=x --work_dir=y --gap_s=3": "--gap_s.*two numbers.*got 3",
                "--input_dir=x --work_dir=y --num_images=0": "--num_images=0",
                "--input_dir=x --work_dir=y --kills=0": "--kills=0",
                "--input_dir=x --work_dir=y --hang_s=0": "--hang_s=0",
                "--input_dir=x --work_dir=y --gap_s=0,0.5": "taken",
            },
        ),
    ],
)
def test_wrong_flags_are_refused_before_anything_is_done(name, cases):
    done = run("-c", PARSE.format(name=name), *cases)
    said = done.stdout.splitlines()
    assert len(said) == len(cases), done.stderr
    assert all(map(re.search, cases.values(), said)), said


def test_a_folder_of_work_that_has_files_is_refused_with_code_2():
    done = run("-m", "benchmarks.kills", "--input_dir=x", "--work_dir=deploy")
    assert (done.returncode, done.stdout) == (2, "")
    said = f"error: --work_dir must be new or empty: {ROOT / 'deploy'} has files; name another\n"
    assert done.stderr == said


PROGRAM = """
import subprocess, sys
from benchmarks import command_line, measure
def main(argv):
    print("begins", flush=True)
    measure.run([sys.executable, "-c", {code!r}])
command_line.run(main)
"""


@pytest.mark.parametrize(("code", "of_benchmark"), [(2, 2), (1, 1), (7, 1)])
def test_a_measured_command_that_fails_is_one_sentence_after_its_output(code, of_benchmark):
    ends = f"import sys; print('the reason'); sys.exit({code})"
    done = run("-c", PROGRAM.format(code=ends))
    assert done.returncode == of_benchmark
    reason, sentence = [line for line in done.stderr.splitlines() if line]
    assert reason == "the reason"
    assert sentence.startswith(f"error: a command of this benchmark ended with code {code}, ")


def test_a_benchmark_that_sigterm_ends_stops_what_it_measures():
    waits = "import time; time.sleep(300)"
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(code=waits)],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout.readline() == "begins\n"
        while not (measured := psutil.Process(process.pid).children()):
            assert process.poll() is None
        time.sleep(0.5)  # It has left the call that starts the command.
        process.terminate()
        said = process.communicate(timeout=30)[1]
    assert (process.returncode, said) == (143, "stopped by SIGTERM\n")
    assert not any(each.is_running() for each in measured)
