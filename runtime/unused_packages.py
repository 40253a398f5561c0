"""Packages that libraries import only because they are installed: kept from being imported.

Owns hiding them while a library is imported. Beam tries pandas, PyMongo and IPython: half of the
seconds that its import takes, in the job and in each of its workers, for nothing that the job uses.
Leaving them out of the environment was rejected: other programs in it need them.
"""

import contextlib
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def hidden(*names: str) -> Iterator[None]:
    """Let imports of these packages fail in this context, unless they were imported already."""
    new = [name for name in names if name not in sys.modules]
    for name in new:
        sys.modules[name] = None  # type: ignore[assignment]  # an import raises ImportError
    try:
        yield
    finally:
        for name in new:
            del sys.modules[name]
