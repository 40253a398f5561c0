"""Refusals of the system, closed pipes and narrow encodings end a program in a sentence."""

import errno
import io
import os
import pathlib
import subprocess
import sys

import pytest

from runtime import atomic_file, errors, program

START = "from runtime import program; program.prepare(); program.or_exit(lambda: {work})"


def ended(call, capsys) -> tuple[int, str]:
    with pytest.raises(SystemExit) as end:
        program.or_exit(call)
    return end.value.code, capsys.readouterr().err


def do(*work: str, **options) -> subprocess.CompletedProcess[bytes]:
    code = START.format(work=" or ".join(work))
    return subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, **options)


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        (lambda f: (f / "file" / "x").write_text(""), "a part of this path is a file, not a"),
        (lambda f: (f / "folder").write_text(""), "it is a folder, not a file; name a file"),
        (lambda f: (f / "none" / "x").write_text(""), "no such file or folder; check the path"),
        (lambda f: (f / "file").mkdir(), "a file of this name is in the way; remove it, or"),
        (lambda f: (f / ("x" * 300)).write_text(""), "the name is too long; name another place"),
        (lambda f: os.open(f / "circle", os.O_RDONLY), "its symbolic links form a circle; mend"),
    ],
)
def test_what_the_system_refuses_is_one_sentence_with_the_path(act, reason, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    code, printed = ended(lambda: act(tmp_path), capsys)
    assert code == 2 and printed.count("\n") == 1
    assert printed.startswith(f"error: cannot use {tmp_path}/") and reason in printed


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC, errno.EDQUOT])
def test_an_atomic_file_that_cannot_be_written_is_named_itself(
    number, tmp_path, monkeypatch, capsys
):
    def refuse(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(atomic_file.os, "fsync", refuse)
    target = tmp_path / "metrics.json"
    code, printed = ended(lambda: atomic_file.replace(target, content=b"{}"), capsys)
    assert code == 2 and printed.startswith(f"error: cannot use {target}: ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("options", [(), ("-u",)])
def test_a_full_disk_under_stdout_is_one_sentence(options):
    with pathlib.Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, *options, "-c", START.format(work="print(1)")],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr == (
        "error: cannot write to stdout: no space left on the device; free some, and give the same "
        "command again\n"
    )


@pytest.mark.parametrize("error", [ValueError("x"), OSError("x"), ModuleNotFoundError(name="x")])
def test_a_defect_keeps_its_traceback(error):
    def fail() -> None:
        raise error

    with pytest.raises(type(error)):
        program.or_exit(fail)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("\nPermissionError: [Errno 13] Permission denied: '/a b/c' [while running", "/a b/c"),
        ("OSError: [Errno 28] No space left on device [while running", None),
        ("{{function_node}} /a/b; Permission denied [Op:WriteFile]", "/a/b"),
    ],
)  # fmt: skip
def test_the_error_of_a_worker_or_of_tensorflow_is_found_in_its_text(text, found):
    error = errors.system_error_in(text)
    assert error is not None and error.filename == found
    assert errors.of_system(error) is not None
    assert errors.system_error_in("ValueError: 13 is no label") is None


def test_a_closed_pipe_ends_a_program_without_a_word():
    code = START.format(work="[print(i) for i in range(10**6)]")
    head = f"{sys.executable} -c '{code}' | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", head], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (errors.READER_GONE, "0\n", "")


def test_a_pipe_that_closes_before_the_last_lines_are_written_is_no_error():
    code = START.format(work="(print(1), __import__('time').sleep(0.3))")
    done = subprocess.run(
        ["bash", "-c", f'{sys.executable} -c "{code}" | true'],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stderr == ""


def test_ctrl_c_while_modules_are_imported_is_one_sentence():
    code = "from runtime import program; program.explain_failed_imports(); raise KeyboardInterrupt"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "stopped by Ctrl-C\n")


def test_a_broken_connection_is_no_closed_pipe():
    def lose() -> None:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    with pytest.raises(BrokenPipeError):
        program.or_exit(lose)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_characters_that_the_terminal_lacks_are_printed_in_others(encoding):
    done = do(
        "print('epoch ██░ 3 × 4 → é ✓')", env={**os.environ, "PYTHONIOENCODING": encoding}
    )  # fmt: skip
    kept = {"ascii": b"3 x 4 -> \\xe9", "latin-1": b"3 \xd7 4 -> \xe9"}[encoding]
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == b"epoch ##. " + kept + b" \\u2713\n"


def test_ctrl_c_is_no_traceback(capsys):
    def interrupted() -> None:
        raise KeyboardInterrupt

    assert ended(interrupted, capsys) == (130, "stopped by Ctrl-C\n")


def test_streams_that_are_no_files_are_left_alone(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    program.prepare()
    assert program.or_exit(lambda: 3) == 3


@pytest.mark.parametrize(
    ("work", "code", "last"),
    [("1 / 0", 1, "ZeroDivisionError: division by zero"), ("sys.exit(2)", 2, ""), ("1", 0, "")],
)
def test_an_error_ends_the_program_though_threads_of_tensorflow_never_end(work, code, last):
    wait = "threading.Thread(target=time.sleep, args=(600,)).start()" if code else "0"
    lines = [
        "import sys, threading, time",
        "from runtime import program",
        "sys.modules['tensorflow'] = sys",
        wait,
        "with program.ending():",
        f"    print('before'); {work}",
    ]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (code, "before\n")
    assert done.stderr.strip().endswith(last)


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize(("work", "code"), [("print(1)", 0), ("open('/none')", 2)])
def test_closed_streams_end_no_program_and_their_numbers_are_no_other_files(closed, work, code):
    work = f"(os.open('/dev/zero', 0) > 2 or os._exit(9), {work})"
    line = START.format(work=work)
    command = f'exec {sys.executable} -c "import os; {line}" {closed}'
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == code and "Traceback" not in done.stderr
    assert ("cannot use /none" in done.stderr) == (code == 2 and "2>" not in closed)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "libarrow.so.1: failed to map segment from shared object",
            "the library libarrow.so.1 cannot be loaded: failed to map segment from shared object; "
            "allow the program more memory (ulimit -v), or install its package again",
        ),
        (
            "libGL.so.1: cannot open shared object file: No such file or directory",
            "the library libGL.so.1 cannot be loaded: cannot open shared object file: No such file "
            "or directory; install the system's package that has it",
        ),
    ],
)
def test_a_library_that_cannot_be_loaded_is_one_sentence(text, said):
    assert str(program.refusal_for(ImportError(text))) == said
    assert program.refusal_for(ImportError("cannot import name 'x' from 'y'")) is None
