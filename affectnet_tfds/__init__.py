"""Data contract of the data set `affectnet_faces`, and its TFDS builder, registered on import.

TFDS's convention is that importing the module which defines a builder registers it. Here that
import waits until TFDS itself is imported, now or later: Beam workers import labels and codecs from
this package and never TFDS, which would load TensorFlow into each of them, and which small workers
do not have installed. Python has no event for "a module was imported", hence the finder below. A
plain import of the builder was rejected for the workers' sake, and registering only on request
(`import affectnet_tfds.affectnet_faces`) because then `import affectnet_tfds` and tfds.load would
read published files but could not generate missing ones.
"""

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
import types
from collections.abc import Sequence
from typing import Any

_TFDS = "tensorflow_datasets"
_BUILDER = "affectnet_tfds.affectnet_faces"
_LAZY = {
    "AffectnetFaces": _BUILDER,
    "AffectnetFacesConfig": _BUILDER,
    "FaceDataset": "affectnet_tfds.reader.face_dataset",
}
"""Public classes to the modules that have them: neither may cost an import of this package."""


def __getattr__(name: str) -> Any:
    """Import a public class when it is asked for by name."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_LAZY[name]), name)


class _RegisterAfterTfds(importlib.abc.MetaPathFinder):
    """Imports the builder directly after the first import of TFDS."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Find TFDS as the other finders do; all other modules are theirs."""
        if fullname != _TFDS:
            return None
        sys.meta_path.remove(self)  # First, or the search below would end here again.
        spec = importlib.util.find_spec(fullname)
        if spec and spec.loader:
            execute = spec.loader.exec_module

            def execute_and_register(module: types.ModuleType) -> None:
                execute(module)
                importlib.import_module(_BUILDER)

            # On this loader object alone: TFDS finds its own resources through it.
            spec.loader.exec_module = execute_and_register  # type: ignore[method-assign]
        return spec


if _TFDS in sys.modules:
    importlib.import_module(_BUILDER)
else:
    sys.meta_path.insert(0, _RegisterAfterTfds())
