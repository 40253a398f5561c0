"""Assignment of folders and split names to the splits train, validation and test.

A test folder beside a validation folder becomes a split of its own. Adding it to validation, or
leaving it out, was rejected: its owner keeps it apart for a reason, and no row is dropped without a
message.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeVar

from pipeline.sources import label_names
from runtime import errors

Content = TypeVar("Content")


class Settled(NamedTuple):
    """Names of splits, and notes for the user on how they were chosen."""

    splits: dict[str, str]  # name in the release → train, validation or test
    notes: tuple[str, ...]


def settle(names: set[str]) -> Settled:
    """Return the use of each split: test is validation where there is no validation."""
    unchanged = {split: split for split in names}
    if "test" not in names:
        return Settled(unchanged, ())
    if "validation" in names:
        return Settled(unchanged, ("test is kept as a split of its own, beside validation",))
    return Settled(
        {**unchanged, "test": "validation"}, ("test is taken as validation: there is no other",)
    )


def by_split(
    folders: Mapping[str, Content], *, root: str
) -> tuple[dict[str, Content], tuple[str, ...]]:
    """Return split → content of its folder, and notes for the user.

    Args:
      folders: folder, relative to the release's root → its content. The last part of its path names
        the split; if no folder's does, a single folder is all train.
      root: of the release, for messages.

    Raises:
      errors.UserError: if two folders are the same split, or several are none.
    """
    named = {
        folder: split
        for folder in folders
        if (split := label_names.split_of(folder.rpartition("/")[2]))
    }
    if not named:
        _only_one(list(folders), root, "neither a train nor a val folder")
        folder, content = next(iter(folders.items()))
        return {"train": content}, (
            f"{folder or 'the folder'} has no train and val folders: all of it is train",
        )
    for split in set(named.values()):
        _only_one([folder for folder in named if named[folder] == split], root, f"a {split} folder")
    settled = settle(set(named.values()))
    ignored = tuple(
        f"{folder} is ignored: it is no train or val folder"
        for folder in folders
        if folder not in named
    )
    used = {settled.splits[split]: folders[folder] for folder, split in named.items()}
    return dict(sorted(used.items())), settled.notes + ignored


def _only_one(folders: Sequence[str], root: str, what: str) -> None:
    if len(folders) > 1:
        listed = ", ".join(folder or "." for folder in folders)
        raise errors.UserError(
            f"{root} has several folders of annotations of which each is {what}: {listed}; "
            "give --input_dir one of them"
        )
