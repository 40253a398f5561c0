"""Which folder is which split.

A test folder beside a validation folder becomes a split of its own rather than more validation, or
nothing: its owner keeps it apart for a reason, and no row is dropped unsaid.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeVar

from pipeline.sources import label_names
from runtime import errors

Place = TypeVar("Place")


class Settled(NamedTuple):
    """Names of splits, and what a user should know of how they came about."""

    splits: dict[str, str]  # as found → train, validation or test
    notes: tuple[str, ...]


def settle(found: set[str]) -> Settled:
    """Say what the splits found are used as: test is validation where there is no other."""
    if "test" not in found:
        return Settled({split: split for split in found}, ())
    if "validation" in found:
        return Settled(
            {split: split for split in found},
            ("test is kept as a split of its own, beside validation",),
        )
    renamed = {split: "validation" if split == "test" else split for split in found}
    return Settled(renamed, ("test is taken as validation: there is no other",))


def by_split(places: Mapping[str, Place], *, root: str) -> tuple[dict[str, Place], tuple[str, ...]]:
    """Return split → place, and notes.

    Args: places: folder, relative to the release's root → what lies there. Its last part says which
      split it is; if none
        does, a single folder is all train.

    Raises:
      errors.UserError: if two folders are the same split, or several are none.
    """
    named = {
        folder: split
        for folder in places
        if (split := label_names.split_of(folder.rpartition("/")[2]))
    }
    if not named:
        _only_one(list(places), root, "neither a train nor a val folder")
        folder, place = next(iter(places.items()))
        return {"train": place}, (
            f"{folder or 'the folder'} has no train and val folders: all of it is train",
        )
    for split in set(named.values()):
        _only_one([folder for folder in named if named[folder] == split], root, f"a {split} folder")
    settled = settle(set(named.values()))
    aside = tuple(
        f"{folder} is left aside: it is no train or val folder"
        for folder in places
        if folder not in named
    )
    found = {settled.splits[split]: places[folder] for folder, split in named.items()}
    return dict(sorted(found.items())), settled.notes + aside


def _only_one(folders: Sequence[str], root: str, what: str) -> None:
    if len(folders) > 1:
        listed = ", ".join(folder or "." for folder in folders)
        raise errors.UserError(
            f"{root} has several folders of annotations of which each is {what}: {listed}; say --input_dir of one"
        )
