"""Packages that libraries import only because they are installed: kept from being imported.

Owns hiding them while a library is imported. Beam tries pandas, PyMongo and IPython: half of the
seconds that its import takes, in the job and in each of its workers, for nothing that the job uses.
Leaving them out of the environment was rejected: other programs in it need them.
"""

import contextlib
import logging
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def hidden(*names: str, also_imported: bool = False) -> Iterator[None]:
    """Let imports of these packages fail in this context, where no warning of it is logged.

    Args:
      *names: the packages.
      also_imported: whether those that were imported already are hidden too.
    """
    chosen = [name for name in names if also_imported or name not in sys.modules]
    before = {name: sys.modules.get(name) for name in chosen}
    for name in chosen:
        sys.modules[name] = None  # type: ignore[assignment]  # an import raises ImportError
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)  # Beam: could not find a compatible bson package.
    try:
        yield
    finally:
        logging.disable(disabled)
        for name, module in before.items():
            del sys.modules[name]
            if module:
                sys.modules[name] = module
