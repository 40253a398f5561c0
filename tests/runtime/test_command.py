"""affectnet-faces: light, complete, and completed by the shell."""

import pathlib
import re
import shlex
import shutil
import subprocess
import sys

import pytest

from runtime import command, completion, errors

ROOT = pathlib.Path(__file__).resolve().parents[2]


def do(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "runtime.command", *words],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip


def test_help_needs_the_standard_library_only():
    code = "import sys; from runtime import command; command.help_text(); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert not loaded & {"absl", "apache_beam", "numpy", "pipeline", "tensorflow", "trainer"}


def test_help_lists_programs_modules_and_exit_codes():
    done = do()
    assert (done.returncode, done.stderr) == (0, "")
    assert do("--help").stdout == done.stdout
    for name, about in command.PROGRAMS.items():
        assert f"  {name} " in done.stdout and about.module in done.stdout
    assert all(f"  {code} " in done.stdout for code in errors.EXIT_CODES)
    assert max(map(len, done.stdout.splitlines())) <= 100


def test_the_documentation_has_the_same_tables():
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    rows = [
        f"| `{name}` | `python -m {about.module}` | {about.summary} |"
        for name, about in command.PROGRAMS.items()
    ]
    rows += [f"| {code} | {meaning} |" for code, meaning in errors.EXIT_CODES.items()]
    tables = [line for line in page.splitlines() if re.match(r"\| (`|\d)", line)]
    assert tables == rows


def test_a_program_gets_the_arguments_that_follow_its_name():
    done = do("verify", "--data_dir=/no/such", "--config_name=x")
    assert done.returncode == 2
    assert done.stderr.startswith("error: /no/such holds no affectnet_faces build called x; ")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["trian"], "has no program called trian; did you mean train?"),
        (["completion"], "completion needs one shell, bash or zsh: got nothing"),
        (["completion", "fish"], "completion needs one shell, bash or zsh: got fish"),
    ],
)
def test_what_it_does_not_know_is_one_sentence(words, sentence):
    with pytest.raises(errors.UserError) as no:
        command.run(words)
    assert str(no.value) == f"affectnet-faces {sentence}"


@pytest.fixture(scope="module")
def bash_script() -> str:
    return completion.script("bash", programs=command.PROGRAMS)


def completed(script: str, line: str, folder: pathlib.Path) -> list[str]:
    """Return what bash offers at the end of a line, as it splits one: at spaces and at =."""
    words = shlex.split(line.replace("=", " = ")) + [""] * (line[-1] in " =")
    code = f"""{script}
COMP_LINE={shlex.quote(line)}; COMP_POINT=${{#COMP_LINE}}
COMP_WORDS=({shlex.join(words)}); COMP_CWORD={len(words) - 1}
_affectnet_faces; printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(
        ["bash", "-c", code], capture_output=True, text=True, check=True, cwd=folder
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("affectnet-faces ev", ["evaluate"]),
        ("affectnet-faces train --conv_", ["--conv_filters="]),
        ("affectnet-faces train --nodetermin", ["--nodeterministic"]),
        ("affectnet-faces train --model=resnet", ["resnet_small", "resnet50"]),
        ("affectnet-faces build --enc", ["--encoding="]),
        ("affectnet-faces build --encoding=", ["jpeg", "png", "raw"]),
        ("affectnet-faces train --data_dir=da", ["data"]),
        ("affectnet-faces train --epochs=3 --recipe=de", ["demo"]),
        ("affectnet-faces predict ph", ["photo.jpg"]),
        ("affectnet-faces completion z", ["zsh"]),
    ],
)
def test_bash_completes_programs_flags_and_values(bash_script, line, offered, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "dated.txt").write_text("")
    (tmp_path / "photo.jpg").write_text("")
    assert completed(bash_script, line, tmp_path) == offered


def test_zsh_has_the_same_flags():
    script = completion.script("zsh", programs=command.PROGRAMS)
    assert "'--encoding=[encoding of the stored crops" in script
    assert ":encoding:(jpeg png raw)'" in script
    assert "'--data_dir=[folder where TFDS keeps data sets" in script and "_files -/'" in script
    assert "'--noalign[not: rotate and scale faces" in script
    if zsh := shutil.which("zsh"):
        subprocess.run([zsh, "-n"], input=script, text=True, check=True)


def test_a_program_that_cannot_be_loaded_is_left_out_of_the_completion(capsys):
    without = {"none": command.Program("no_such_module.main", "nothing")}
    assert "none)" in completion.script("bash", programs=without)
    assert "no flags of no_such_module.main" in capsys.readouterr().err
