"""Launcher of several hosts on one machine: python -m trainer.hosts --hosts=2 -- --num_gpus=0.

Owns the processes: a free port and a TF_CONFIG for each, whose output is printed line by line with
the host's index before it. It is for trying out; a cluster's own launcher (srun, Kubernetes) does
this across machines.
"""

import dataclasses
import functools
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
import types
from collections.abc import Sequence

from runtime import errors, fields
from runtime import flags as flags_lib
from trainer.config import run_config
from trainer.distributed import host_failure, tf_config

ABOUT = """Run the trainer as several hosts on this machine; the flags of trainer.main follow --.

  python -m trainer.hosts --hosts=2 -- --num_gpus=0 --model_dir=runs/two"""

_GRACE_S = 20.0
"""Time for the other hosts to end by themselves; TensorFlow notices a lost one in up to 10 s."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Hosts(fields.Checked):
    """Number of hosts."""

    hosts: int = fields.field(
        2, "processes to start, each a host of its own", at_least=1, at_most=64
    )


SECTIONS = {"Hosts": Hosts}


def main(flags: Sequence[str], unknown: Sequence[str] = ()) -> None:
    """Run the hosts with flags of `trainer.main`; exit with the code of the first that failed.

    Args:
      flags: for the hosts.
      unknown: flags before the -- that are none of the launcher's.

    Raises:
      errors.UserError: if there is an unknown flag.
    """
    if unknown:
        raise errors.UserError(_refusal(unknown, flags=flags))
    settings = Hosts(**flags_lib.given(SECTIONS))
    addresses = [f"127.0.0.1:{port}" for port in free_ports(settings.hosts)]
    processes: list[subprocess.Popen[str]] = []
    received = _forward_signals(processes)
    for i in range(settings.hosts):
        processes.append(start(flags, addresses=addresses, index=i))
    for number in received:  # Those that came before all were there.
        _send(processes, number)
    printers = [
        threading.Thread(target=_print_lines, args=(process,), kwargs={"index": i})
        for i, process in enumerate(processes)
    ]
    for printer in printers:
        printer.start()
    code = wait(processes, grace_s=_GRACE_S)
    for printer in printers:
        printer.join()
    sys.exit(code)


def _refusal(unknown: Sequence[str], *, flags: Sequence[str]) -> str:
    name = unknown[0].lstrip("-").partition("=")[0]
    of_trainer = {each for kind in run_config.SECTIONS.values() for each in fields.options(kind)}
    if name.removeprefix("no") not in of_trainer and name not in of_trainer:
        return flags_lib.unknown(name, sections=SECTIONS)
    command = shlex.join(["python", "-m", "trainer.hosts", "--", *unknown, *flags])
    return f"--{name} is a flag of trainer.main, and those follow --, as in: {command}"


def split(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the launcher's own arguments, and those after the first -- for the hosts."""
    end = argv.index("--") if "--" in argv else len(argv)
    return list(argv[:end]), list(argv[end + 1 :])


def free_ports(count: int) -> list[int]:
    """Return ports of the loopback interface that no program uses at the moment."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    # Only now: a port closed earlier could be given out twice.
    for listener in listeners:
        listener.close()
    return ports


def start(flags: Sequence[str], *, addresses: Sequence[str], index: int) -> subprocess.Popen[str]:
    """Start one host, in a session of its own, so that Ctrl-C reaches it once: through us."""
    task = {"type": "worker", "index": index}
    config = json.dumps({"cluster": {"worker": list(addresses)}, "task": task})
    return subprocess.Popen(
        [sys.executable, "-m", "trainer.main", *flags],
        env={**os.environ, tf_config.VARIABLE: config},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="backslashreplace",
        start_new_session=True,
    )


def wait(processes: Sequence["subprocess.Popen[str]"], *, grace_s: float) -> int:
    """Wait until all processes have ended, and end the others after one has failed.

    Returns:
      0, or the exit code of the first that failed, as shells count it.
    """
    deadline = float("inf")
    next_signal = signal.SIGTERM
    exit_code = 0
    while True:
        codes = [process.poll() for process in processes]
        if not exit_code and any(codes):
            exit_code = _cause(codes)
            deadline = time.monotonic() + grace_s
        if None not in codes:
            return exit_code
        if time.monotonic() > deadline:
            _send(processes, next_signal)
            next_signal = signal.SIGKILL
            deadline = time.monotonic() + grace_s
        time.sleep(0.05)


def _cause(codes: Sequence[int | None]) -> int:
    """Return the code of the host that failed first, not of those that ended because of it."""
    failures = [128 - code if code < 0 else code for code in codes if code]
    causes = [code for code in failures if code != host_failure.EXIT_CODE]
    return causes[0] if causes else host_failure.EXIT_CODE


def _send(processes: Sequence["subprocess.Popen[str]"], number: int) -> None:
    for process in processes:
        if process.poll() is None:
            process.send_signal(number)


def _forward_signals(processes: Sequence["subprocess.Popen[str]"]) -> list[int]:
    """Send signals on to the processes; return the list to which each is added."""
    received: list[int] = []

    def forward(number: int, frame: types.FrameType | None) -> None:
        received.append(number)
        _send(processes, number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, forward)
    return received


def _print_lines(process: "subprocess.Popen[str]", *, index: int) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        print(f"[{index}] {line}", end="", flush=True)


if __name__ == "__main__":
    sys.argv[:], host_flags = split(sys.argv)
    flags_lib.define(SECTIONS)
    flags_lib.run_passing_on(functools.partial(main, host_flags), sections=SECTIONS, about=ABOUT)
