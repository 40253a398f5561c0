"""Signals end a program at any moment, also while its main thread is in C code."""

import ast
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import pytest

from runtime import signals

IN_C_CODE = "import hashlib; hashlib.pbkdf2_hmac('sha256', b'x', b'y', 2**31 - 1)"
"""Does not come back to Python for minutes, as a training step that compiles does not."""


def started(code: str) -> subprocess.Popen[str]:
    code = f"from runtime import signals; {code}"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout and process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize(
    ("number", "name"), [(signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM")]
)
def test_a_signal_in_c_code_ends_the_program_at_once_in_a_sentence(number, name):
    process = started(
        f"signals.end_at_once(); print('ready', flush=True); print('more'); {IN_C_CODE}"
    )
    time.sleep(0.5)  # It is in C code then.
    process.send_signal(number)
    assert process.wait(timeout=20) == 128 + number
    assert (process.stdout.read(), process.stderr.read()) == ("more\n", f"stopped by {name}\n")


def test_the_sentence_is_told_where_what_libraries_write_is_discarded():
    process = started(
        "import os; from trainer.distributed import tf_logging; signals.end_at_once(); "
        "quiet = [tf_logging.chatter_off(), tf_logging.chatter_off()]; "
        "[block.__enter__() for block in quiet]; os.write(2, b'chatter'); "
        f"print('ready', flush=True); {IN_C_CODE}"
    )
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 128 + signal.SIGTERM
    assert process.stderr.read() == "stopped by SIGTERM\n"


def test_of_two_listeners_the_later_one_hears_until_it_is_closed():
    heard = []
    with_lock = signals.threading.Semaphore(0)

    def listener(name):
        return signals.Listener(lambda number: (heard.append(name), with_lock.release()))

    outer = listener("outer")
    inner = listener("inner")
    os.kill(os.getpid(), signal.SIGTERM)
    assert with_lock.acquire(timeout=10)
    inner.close()
    os.kill(os.getpid(), signal.SIGINT)
    assert with_lock.acquire(timeout=10)
    outer.close()
    assert heard == ["inner", "outer"]
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_a_handler_of_somebody_else_is_left_alone_and_a_second_signal_reaches_the_one_before():
    calls, heard = [], []
    before = signal.signal(signal.SIGTERM, lambda number, frame: calls.append("before"))
    listener = signals.Listener(lambda number: heard.append(number))
    for _ in range(2):
        signal.raise_signal(signal.SIGTERM)
    assert calls == ["before"]  # A notebook's own, for the second signal.
    signal.signal(signal.SIGTERM, lambda number, frame: calls.append("theirs"))
    signal.raise_signal(signal.SIGTERM)
    assert calls == ["before", "theirs"]
    listener.close()
    signal.signal(signal.SIGTERM, before)
    assert len(heard) <= 2


def test_a_child_handles_signals_as_a_new_process_does():
    code = (
        "import os, signal; signals.end_at_once(); child = os.fork();"
        "child or (os.kill(os.getpid(), signal.SIGTERM), os._exit(9));"
        "print('ready', flush=True); print(os.waitpid(child, 0)[1])"
    )
    process = started(code)
    assert process.wait(timeout=20) == 0
    # The parent did not take the child's signal for its own.
    assert process.stdout.read() == f"{int(signal.SIGTERM)}\n"


WITH_WORKERS = (
    "import concurrent.futures, multiprocessing, time; signals.end_at_once();"
    "pool = concurrent.futures.ProcessPoolExecutor(2,"
    " mp_context=multiprocessing.get_context({method!r}), initializer=signals.end_with_parent);"
    "pool.submit(time.sleep, 0).result(); _ = [pool.submit(time.sleep, 600) for _ in '12'];"
    "print('ready', flush=True); time.sleep(600)"
)


@pytest.mark.parametrize(
    ("method", "number", "said"),
    [
        ("fork", signal.SIGTERM, "stopped by SIGTERM\n"),
        ("spawn", signal.SIGINT, "stopped by Ctrl-C\n"),
        ("fork", signal.SIGKILL, ""),
    ],
)
def test_no_worker_outlives_its_program(method, number, said):
    process = started(WITH_WORKERS.format(method=method))
    process.send_signal(number)
    # Its workers have the same output: it is at its end when they are gone.
    assert process.communicate(timeout=30) == ("", said)


def test_every_pool_of_processes_ends_with_its_program():
    root = pathlib.Path(signals.__file__).parents[1]
    rooms = ("affectnet_tfds", "benchmarks", "pipeline", "runtime", "synthetic_faces", "trainer")
    nodes = [
        node
        for room in rooms
        for path in (root / room).rglob("*.py")
        if "Pool" in (text := path.read_text(encoding="utf-8"))
        for node in ast.walk(ast.parse(text))
    ]
    pools = [
        ast.unparse(node)
        for node in nodes
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).rpartition(".")[2] in ("ProcessPoolExecutor", "Pool")
    ]
    assert len(pools) >= 4
    assert [pool for pool in pools if not re.search("end_with_parent|_prepare_worker", pool)] == []


def test_a_worker_ends_with_the_process_that_started_it():
    """Killed, or ended while it starts one, that process cannot end it."""
    worker = (
        "from runtime import signals; import time; signals.end_with_starter(); "
        "print('ready', flush=True); time.sleep(60)"
    )
    starter = started(
        "import os, subprocess, sys; os.environ[signals.STARTER] = str(os.getpid()); "
        f"subprocess.run([sys.executable, '-c', {worker!r}])"
    )
    starter.kill()
    began = time.monotonic()
    starter.communicate(timeout=30)  # Its pipes are closed when the worker is gone.
    assert time.monotonic() - began < 10
