"""Programs of benchmarks/ as modules of a test process.

Owns what becomes of their flags: each program is a process of its own, and several declare flags of
one name, which in one process is an error.
"""

import contextlib
import importlib
import types

from absl import flags


def imported(name: str) -> types.ModuleType:
    """Import a program of benchmarks/ and take back the flags that it declares."""
    module = importlib.import_module(f"benchmarks.{name}")
    for flag in list(flags.FLAGS.flags_by_module_dict().get(module.__name__, [])):
        with contextlib.suppress(AttributeError):  # Its short name went with the long one.
            delattr(flags.FLAGS, flag.name)
    return module
