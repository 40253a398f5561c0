"""Systems without what POSIX has: the job's modules can be imported there all the same."""

import subprocess
import sys

import pytest

WITHOUT = """
import importlib, pkgutil, signal, sys

class Nowhere:
    def find_spec(self, name, path=None, target=None):
        if name in {"fcntl", "grp", "pty", "pwd", "resource", "termios"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Nowhere())
for name in ("SIGALRM", "SIGCHLD", "SIGHUP", "SIGKILL", "SIGQUIT", "SIGTSTP", "SIGUSR1", "SIGUSR2"):
    delattr(signal, name)
for name in ("affectnet_tfds", "pipeline", "runtime", "synthetic_faces"):
    sys.modules.pop(name, None)
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(package.__path__, f"{name}."):
        importlib.import_module(module.name)
        print(module.name)
"""


@pytest.mark.slow
def test_the_job_is_imported_on_a_system_without_posix():
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=False
    )
    assert not done.returncode, done.stderr[-3000:]
    assert {"pipeline.main", "pipeline.worker", "runtime.flags"} <= set(done.stdout.split())
