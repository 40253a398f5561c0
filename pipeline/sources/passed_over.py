"""Files that no row is about: counted by kind with an example, so that the account has every file.

Owns the walk of a folder whose files are the rows. Listing the input once more at the end and
taking away what was read was rejected: a million names would be held and compared.
"""

import collections
from collections.abc import Collection, Iterator
from typing import NamedTuple

from affectnet_tfds import image_names
from pipeline.files import storage
from runtime import untrusted

OF_SYSTEM = "files of macOS or Windows"
NOT_ENTERED = "folders that may not be listed, or are links out of the input or to above"

_SAMPLE = ("drawn_sample.json", "README.txt", "attributes.csv")
"""Files that a drawn sample has besides its release."""


class PassedOver(NamedTuple):
    """Files of one kind that are not read."""

    kind: str  # ending of their names, or a phrase
    files: int
    example: str  # the first by name, relative to the release's root


class Tally:
    """Walk of a release's files, and counts of those that are passed over."""

    def __init__(self, root: storage.AnyPath, *, follow_links: bool) -> None:
        """Start with none.

        Args:
          root: of the release.
          follow_links: whether links may lead out of it.
        """
        self._root = root
        self.within = "" if follow_links else str(root)
        self._counts: collections.Counter[str] = collections.Counter()
        self._examples: dict[str, str] = {}

    def add(self, path: str, *, kind: str = "") -> None:
        """Count a file, under its ending if no kind is given."""
        kind = kind or _kind_of(path)
        self._counts[kind] += 1
        self._examples[kind] = min(path, self._examples.get(kind, path))

    def add_rest(self, *, read: Collection[str], apart: Collection[str]) -> None:
        """Count the files of the release.

        Args:
          read: files that are not counted, relative to the root.
          apart: folders that are not entered: their files are counted as they are listed.
        """
        known = {*read, *self.of_sample()}
        for path in self.files_below("", apart=apart):
            if path not in known:
                self.add(path)

    def counts(self) -> tuple[PassedOver, ...]:
        """Return the kinds, the most frequent first."""
        ordered = sorted(self._counts, key=lambda kind: (-self._counts[kind], kind))
        return tuple(PassedOver(kind, self._counts[kind], self._examples[kind]) for kind in ordered)

    def of_sample(self) -> tuple[str, ...]:
        """Return the files that a drawn sample has besides its release; none in other folders."""
        return _SAMPLE if (self._root / _SAMPLE[0]).is_file() else ()

    def files_below(self, folder: str, *, apart: Collection[str] = ()) -> Iterator[str]:
        """Yield the files below a folder, relative to the root, in no order.

        A folder that is not entered is yielded itself, with a slash at its end: one that may not be
        listed, and a link to a folder above itself or out of the release.
        """
        waiting = [folder]
        while waiting:
            inside = waiting.pop()
            try:
                for entry in storage.input_entries(self._root / inside if inside else self._root):
                    path = f"{inside}/{entry.name}".lstrip("/")
                    if not storage.is_folder(entry):
                        yield path
                    elif storage.leads_up(entry) or (
                        self.within and storage.leads_out(entry, self.within)
                    ):
                        yield f"{path}/"
                    elif path not in apart:
                        waiting.append(path)
            except PermissionError:
                yield f"{inside}/"

    def images_below(self, folder: str, *, nested: bool) -> list[str]:
        """Return the images of a folder, relative to it, sorted; count its other files.

        Args:
          folder: relative to the root.
          nested: whether images in its folders are taken, and not counted.
        """
        images = []
        for path in self.files_below(folder):
            name = path[len(folder) :].lstrip("/")
            if (nested or "/" not in name) and self.is_image(path):
                images.append(name)
            else:
                self.add(path)
        return sorted(images)

    def is_image(self, path: str) -> bool:
        """Tell whether a file is an image, opening it only where its name does not say so.

        A file that cannot be opened is no image by its first bytes.
        """
        if any(map(image_names.is_of_system, path.split("/"))) or path.endswith("/"):
            return False
        return image_names.ends_as_image(path) or image_names.begins_as_image(self._head(path))

    def _head(self, path: str) -> bytes:
        place = self._root / path
        try:
            storage.check_input(place, at_most=untrusted.LIST_BYTES, within=self.within)
            with place.open("rb") as file:
                return file.read(image_names.HEAD_BYTES)
        except OSError as error:
            storage.check_is_of_file(error, place)
            return b""


def _kind_of(path: str) -> str:
    if path.endswith("/"):
        return NOT_ENTERED
    if any(image_names.is_of_system(part) for part in path.split("/")):
        return OF_SYSTEM
    stem, dot, ending = path.rpartition("/")[2].rpartition(".")
    return f".{ending.lower()}" if dot and stem else "without an ending"
