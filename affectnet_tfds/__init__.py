"""The data contract, and the TFDS data set `affectnet_faces`, which importing this package
registers.

It is registered as soon as TFDS itself is imported, now or later: Beam workers import the labels
from here and never TFDS, which would cost each of them seconds where it is installed, and is not
installed where they are kept small.
"""

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
import types
from collections.abc import Sequence
from typing import Any

_BUILDER = "affectnet_tfds.affectnet_faces"
_NAMES = ("AffectnetFaces", "AffectnetFacesConfig")


def __getattr__(name: str) -> Any:
    """Load the builder when it is asked for by name."""
    if name not in _NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_BUILDER), name)


class _WhenTfdsIsImported(importlib.abc.MetaPathFinder):
    """Registers the builder behind the first import of TFDS."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Hand TFDS to the other finders, and follow it."""
        if fullname != "tensorflow_datasets":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec and spec.loader:
            spec.loader = _Followed(spec.loader)
        return spec


class _Followed(importlib.abc.Loader):
    """Loads a module, then the builder."""

    def __init__(self, loader: importlib.abc.Loader) -> None:
        self.loader = loader

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: types.ModuleType) -> None:
        if module.__spec__:
            module.__spec__.loader = self.loader  # Resources are found through it.
        self.loader.exec_module(module)
        importlib.import_module(_BUILDER)


if "tensorflow_datasets" in sys.modules:
    importlib.import_module(_BUILDER)
else:
    sys.meta_path.insert(0, _WhenTfdsIsImported())
