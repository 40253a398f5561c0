"""Run names: the shortest ends of the paths of model folders that tell several runs apart."""

import pathlib
from collections.abc import Sequence


def of(folders: Sequence[pathlib.Path]) -> list[str]:
    """Return the names of folders that are all different, in their order."""
    parts = [folder.resolve().parts for folder in folders]
    for length in range(1, max(map(len, parts)) + 1):
        names = ["/".join(each[-length:]) for each in parts]
        if len(set(names)) == len(names):
            return names
    raise AssertionError("folders that are all different have different paths")
