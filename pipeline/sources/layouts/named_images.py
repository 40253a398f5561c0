"""Layouts of KDEF and JAFFE: the name of an image says who it shows, and with which expression.

KDEF/AF01/AF01ANS.JPG is session A, woman 01, angry, straight; KA.AN1.39.tiff is KA, angry, first
of its kind, number 39. Both are images taken for the purpose, of nothing but a face, so the whole
image is used. There are no splits: --validation_frac makes one, by subject.
"""

import dataclasses
import re
from collections.abc import Iterator, Mapping

from pipeline.files import storage
from pipeline.rows import annotations
from pipeline.sources import base, folder_walk, image_folders, passed_over


@dataclasses.dataclass(frozen=True)
class NamedImages:
    """A layout (registry.Layout) of images in any folders.

    Attributes:
      layout: name that --layout takes.
      data: name of the data set.
      LOOKED_FOR: as in every layout.
      pattern: of an image's name, in capitals, with groups "subject" and "expression".
      codes: expression in the name → AffectNet's code.
      kinds: endings of its images, of which a folder must have one to be looked into.
      expected: number of images.
    """

    layout: str
    data: str
    LOOKED_FOR: str
    pattern: re.Pattern[str]
    codes: tuple[tuple[str, int], ...]
    kinds: frozenset[str]
    expected: int

    def detect(self, folders: tuple[folder_walk.Folder, ...], request: base.Request) -> bool:
        """Tell whether any folder has an image with such a name."""
        return "manual" in request.subsets and any(
            self._matched(entry.name)
            for folder in folders
            if folder.kinds & self.kinds
            for entry in storage.input_entries(folder.path)
        )

    def find_release(
        self,
        root: storage.AnyPath,
        folders: tuple[folder_walk.Folder, ...],
        request: base.Request,
    ) -> base.Release:
        """Return the release below a root in which `detect` found the layout."""
        tally = passed_over.Tally(root, follow_links=request.follow_links)
        own = tally.of_sample()
        names = []
        for path in tally.files_below(""):
            if self._matched(path.rpartition("/")[2]) and tally.is_image(path):
                names.append(path)
            elif path not in own:
                tally.add(path)
        table = base.Table(
            layout=self.layout,
            split="train",
            subset="manual",
            path="",
            images="",
            parts=base.in_parts(sorted(names)),
            expected=(self.expected,),
            digest=image_folders.digest(sorted(names)),
        )
        return base.Release(
            layout=self.layout,
            root=str(root),
            tables=(table,),
            notes=(base.no_splits(self.data, by="subject"),),
            data=self.data,
            passed_over=tally.counts(),
        )

    def read(self, root: str, part: base.Part) -> Iterator[annotations.Row | annotations.Reject]:
        """Yield the rows of a part of the images."""
        assert isinstance(part.range, base.Names)
        codes = dict(self.codes)
        for name in part.range.names:
            place = image_folders.place_of(part.table, name, prefix="")
            yield annotations.settled(self._row, place, name, name, codes, place)

    def _row(
        self, name: str, codes: Mapping[str, int], place: annotations.Place
    ) -> annotations.Row | annotations.Reject:
        matched = self._matched(name.rpartition("/")[2])
        assert matched
        return annotations.parse({"path": name, "label": str(codes[matched["expression"]])}, place)

    def subject(self, path: str) -> str:
        """Return the subject of an image's path."""
        matched = self._matched(path.rpartition("/")[2])
        return matched["subject"] if matched else path

    def _matched(self, name: str) -> re.Match[str] | None:
        return self.pattern.fullmatch(name.upper())


KDEF = NamedImages(
    layout="kdef",
    data="KDEF",
    LOOKED_FOR="AF01/AF01ANS.JPG (KDEF)",
    pattern=re.compile(
        r"[AB](?P<subject>[FM]\d\d)(?P<expression>AF|AN|DI|HA|NE|SA|SU)(FL|FR|HL|HR|S)\.(JPE?G|PNG)"
    ),
    codes=(("AF", 4), ("AN", 6), ("DI", 5), ("HA", 1), ("NE", 0), ("SA", 2), ("SU", 3)),
    kinds=frozenset({".jpg", ".jpeg", ".png"}),
    expected=4_900,
)

JAFFE = NamedImages(
    layout="jaffe",
    data="JAFFE",
    LOOKED_FOR="KA.AN1.39.tiff (JAFFE)",
    pattern=re.compile(
        r"(?P<subject>[A-Z]{2})\.(?P<expression>AN|DI|FE|HA|NE|SA|SU)\d\.\d+\.(TIFF?|PNG|JPE?G|BMP)"
    ),
    codes=(("AN", 6), ("DI", 5), ("FE", 4), ("HA", 1), ("NE", 0), ("SA", 2), ("SU", 3)),
    kinds=frozenset({".tiff", ".tif", ".png", ".jpg", ".jpeg", ".bmp"}),
    expected=213,
)
