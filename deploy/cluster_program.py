"""Program of a cluster on this machine: up, check and down, for any engine."""

import argparse
from collections.abc import Callable
from pathlib import Path

from deploy import java_cluster, ports
from runtime import errors, program, signals


def run(
    engine: java_cluster.Engine,
    up: Callable[[Path, int], None],
    *,
    about: str,
    parts: str,
    flag: str,
    port: int,
) -> None:
    """Be the program of an engine's cluster: up, check or down."""
    parser = argparse.ArgumentParser(
        description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["up", "check", "down"])
    parser.add_argument(
        "--folder", type=Path, default=engine.jars / "cluster", help="logs, flags, temporary files"
    )
    parser.add_argument(f"--{flag}", type=int, default=port, help="port of the cluster's web page")
    given = parser.parse_args()
    folder = given.folder.absolute()
    label = f"{engine.label:14}"

    def act() -> None:
        if given.what == "down":
            was_running = java_cluster.down(folder)
            none = f"nothing to stop: no {engine.name} cluster is running in {folder}"
            print(f"{label}{'stopped' if was_running else none}")
        elif given.what == "check":
            java_cluster.check(engine, folder)
        else:
            if what := java_cluster.missing(engine):
                raise errors.UserError(what)
            chosen = getattr(given, flag)
            if not 1 <= chosen <= ports.MOST:
                raise errors.UserError(
                    f"--{flag} must be a port, 1 to {ports.MOST:,}: got {chosen}"
                )
            up(folder, chosen)
            print(f"{label}{parts} on {ports.HOST}:{chosen}; logs in {folder}/logs")
            print(
                f"next          make shards RUNNER={engine.label}, or "
                f"python -m pipeline.main … --flagfile={folder}/flags"
            )

    program.prepare()
    signals.raise_in_main()  # What was started of a cluster is stopped.
    program.or_exit(act)
