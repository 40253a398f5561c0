"""Try several hosts on one machine: python -m trainer.hosts --hosts=2 -- --num_gpus=0
--model_dir=runs/two.

Owns the processes: a free port and a TF_CONFIG for each, whose output comes through line by line
with the host's number before it. It is for trying out; a cluster's own launcher (srun, Kubernetes)
does this across machines.
"""

import dataclasses
import functools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import types
from collections.abc import Sequence

from runtime import fields
from runtime import flags as flags_lib
from trainer.distributed import host_failure, tf_config

ABOUT = """Run the trainer as several hosts on this machine; what follows -- are the flags of trainer.main.

  python -m trainer.hosts --hosts=2 -- --num_gpus=0 --model_dir=runs/two"""

_GRACE_S = 20.0
"""The others notice by themselves that one has gone; TensorFlow takes up to ten seconds."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Hosts(fields.Checked):
    """How many."""

    hosts: int = fields.field(
        2, "processes to start, each a host of its own", at_least=1, at_most=64
    )


SECTIONS = {"Hosts": Hosts}


def main(flags: Sequence[str]) -> None:
    """Run the hosts with the flags of `trainer.main`, and exit with the code of the first that
    failed."""
    asked = Hosts(**flags_lib.given(SECTIONS))
    addresses = [f"127.0.0.1:{port}" for port in free_ports(asked.hosts)]
    started = [start(flags, addresses=addresses, index=index) for index in range(asked.hosts)]
    _pass_on_signals(started)
    printers = [
        threading.Thread(target=_print_lines, args=(host,), kwargs={"index": i})
        for i, host in enumerate(started)
    ]
    for printer in printers:
        printer.start()
    code = wait(started, grace_s=_GRACE_S)
    for printer in printers:
        printer.join()
    sys.exit(code)


def split(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the launcher's own arguments, and those after the first -- for the hosts."""
    at = argv.index("--") if "--" in argv else len(argv)
    return list(argv[:at]), list(argv[at + 1 :])


def free_ports(count: int) -> list[int]:
    """Return ports of the loopback that nobody uses at the moment."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return ports


def start(flags: Sequence[str], *, addresses: Sequence[str], index: int) -> subprocess.Popen[str]:
    """Start one host; in a session of its own, so that Ctrl-C reaches it once, through this
    program."""
    task = {"type": "worker", "index": index}
    config = json.dumps({"cluster": {"worker": list(addresses)}, "task": task})
    return subprocess.Popen(
        [sys.executable, "-m", "trainer.main", *flags],
        env={**os.environ, tf_config.VARIABLE: config},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def wait(processes: Sequence["subprocess.Popen[str]"], *, grace_s: float) -> int:
    """Wait until all have ended, and end those that go on after one has failed.

    Returns:
      0, or the exit code of the first that failed, as shells count it.
    """
    deadline, next_signal, failed = float("inf"), signal.SIGTERM, 0
    while True:
        codes = [process.poll() for process in processes]
        if not failed and any(codes):
            failed, deadline = _cause(codes), time.monotonic() + grace_s
        if None not in codes:
            return failed
        if time.monotonic() > deadline:
            _send(processes, next_signal)
            deadline, next_signal = time.monotonic() + grace_s, signal.SIGKILL
        time.sleep(0.05)


def _cause(codes: Sequence[int | None]) -> int:
    """Return the code of the host that failed, rather than of those that lost it."""
    failed = [128 - code if code < 0 else code for code in codes if code]
    return next((code for code in failed if code != host_failure.EXIT_CODE), host_failure.EXIT_CODE)


def _send(processes: Sequence["subprocess.Popen[str]"], number: int) -> None:
    for process in processes:
        if process.poll() is None:
            process.send_signal(number)


def _pass_on_signals(processes: Sequence["subprocess.Popen[str]"]) -> None:
    def pass_on(number: int, frame: types.FrameType | None) -> None:
        _send(processes, number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, pass_on)


def _print_lines(host: "subprocess.Popen[str]", *, index: int) -> None:
    assert host.stdout is not None
    for line in host.stdout:
        print(f"[{index}] {line}", end="", flush=True)


if __name__ == "__main__":
    sys.argv[:], of_hosts = split(sys.argv)
    flags_lib.define(SECTIONS)
    flags_lib.run(functools.partial(main, of_hosts), sections=SECTIONS, about=ABOUT)
