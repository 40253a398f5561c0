"""Run log: journal.json, with command, versions, git revision, data and hardware of each start.

Owns the file. The configuration is saved apart from it (config.json), because that must stay the
same over a run and this need not.
"""

import contextlib
import datetime
import importlib.metadata
import json
import pathlib
import platform
import shlex
import subprocess
import sys
from typing import Any

from runtime import atomic_file, machine, untrusted
from trainer.run import context

FILE = "journal.json"
_PACKAGES = (
    "affectnet-faces",
    "tensorflow",
    "keras",
    "tensorflow-datasets",
    "numpy",
    "scikit-learn",
)


def record(ctx: context.RunContext, *, model_dir: pathlib.Path) -> None:
    """Add this start to the model folder's log, atomically."""
    path = model_dir / FILE
    text = json.dumps([*_entries(path), entry(ctx)], indent=2) + "\n"
    atomic_file.replace(path, content=text.encode())


def entry(ctx: context.RunContext) -> dict[str, Any]:
    """Return command, versions, git revision, data and devices of this start."""
    return {
        "started": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "command": shlex.join([pathlib.Path(sys.executable).name, *sys.orig_argv[1:]]),
        "folder": str(pathlib.Path.cwd()),
        "data": {
            "name": ctx.version.name,
            "path": str(ctx.version.path),
            "fingerprint": ctx.version.fingerprint,
        },
        "devices": ctx.device_line,
        "machine": machine.describe(),
        "git": git_revision(pathlib.Path(__file__).parents[2]),
        "versions": {"python": platform.python_version(), **_versions()},
    }


def git_revision(folder: pathlib.Path) -> dict[str, Any] | None:
    """Return the commit of a folder and whether files differ from it, or None outside of git.

    A folder of which git has no file is outside, too: packages may be installed in another project.
    """
    commit = _git("rev-parse", "HEAD", folder=folder)
    if commit is None or not _git("ls-files", "--", ".", folder=folder):
        return None
    return {
        "commit": commit,
        "changed": bool(_git("status", "--porcelain", "--", ".", folder=folder)),
    }


def starts(model_dir: pathlib.Path) -> list[dict[str, Any]]:
    """Return the entries of a run, in order; none where there is no log, or it is damaged."""
    try:
        entries = untrusted.read_json(model_dir / FILE)
    except (OSError, ValueError):
        return []
    return [each for each in entries if isinstance(each, dict)] * isinstance(entries, list)


def _entries(path: pathlib.Path) -> list[Any]:
    """Return the entries of earlier starts; a damaged log is set aside and begun anew."""
    if not path.exists():
        return []
    try:
        entries = untrusted.read_json(path)
        if not isinstance(entries, list):
            raise ValueError(f"a list of starts was expected: got {type(entries).__name__}")
        return entries
    except ValueError as error:
        # Nothing depends on the log, so that it must not keep a run from continuing.
        kept = atomic_file.set_aside(path)
        print(
            f"warning       cannot read {path} ({error}): it is begun anew, and the damaged one is "
            f"kept as {kept.name}",
            file=sys.stderr,
        )
        return []


def _git(*words: str, folder: pathlib.Path) -> str | None:
    try:
        done = subprocess.run(
            ["git", *words], cwd=folder, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _versions() -> dict[str, str]:
    versions = {}
    for package in _PACKAGES:
        # A project that is used without being installed has no version of its own.
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return versions
