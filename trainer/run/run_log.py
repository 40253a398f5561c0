"""How a model was made: command, versions, git revision, data, devices; one entry for each start of
its run.

Owns the file. The configuration is saved apart from it (`config`), because that must stay the same
over a run and this need not.
"""

import datetime
import importlib.metadata
import json
import pathlib
import platform
import shlex
import subprocess
import sys
from typing import Any

from runtime import atomic_file
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
    """Add this start to the model folder's list."""
    path = model_dir / FILE
    entries = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    text = json.dumps([*entries, entry(ctx)], indent=2) + "\n"
    atomic_file.replace(path, content=text.encode())


def entry(ctx: context.RunContext) -> dict[str, Any]:
    """Say what is started, with what, on what and where."""
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
        "git": git_revision(pathlib.Path(__file__).parent),
        "versions": {"python": platform.python_version(), **_versions()},
    }


def git_revision(folder: pathlib.Path) -> dict[str, Any] | None:
    """Return the commit that a folder is at and whether it was changed since, or None outside of
    git."""
    commit = _git("rev-parse", "HEAD", folder=folder)
    if commit is None:
        return None
    return {
        "commit": commit,
        "changed": bool(_git("status", "--porcelain", "--", ".", folder=folder)),
    }


def _git(*words: str, folder: pathlib.Path) -> str | None:
    try:
        done = subprocess.run(
            ["git", *words], cwd=folder, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
