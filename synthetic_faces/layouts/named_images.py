"""Layouts of KDEF and JAFFE, whose images are named by subject and expression.

Only codes 0..6 of the manual set, without splits; of KDEF as many as such names allow. Every image
has the data set's extension, whatever it is inside. They express nothing but the code.
"""

import functools
import pathlib
from collections.abc import Callable, Sequence

from synthetic_faces.examples import dataset_rows, scenes
from synthetic_faces.layouts import base
from synthetic_faces.subject import expressions

_KDEF_CODES = ("NE", "HA", "SA", "SU", "AF", "DI", "AN")
_JAFFE_CODES = ("NE", "HA", "SA", "SU", "FE", "DI", "AN")
_ANGLES = ("FL", "HL", "S", "HR", "FR")
_PER_SUBJECT = 20
_KDEF_ROOM = 99 * _PER_SUBJECT


def image_path(
    row: dataset_rows.Row, *, name_of: Callable[[dataset_rows.Row], str]
) -> pathlib.PurePosixPath | None:
    """Return the path of a row's image."""
    if row.subset != "manual" or row.code >= expressions.CONTEMPT:
        return None
    path = name_of(row)
    return pathlib.PurePosixPath(path) if path else None


def kdef_name(row: dataset_rows.Row) -> str:
    """Return AF01/AF01ANS.JPG of a row; "" where there is no such name left."""
    if row.index >= _KDEF_ROOM:
        return ""
    number, rest = divmod(row.index, _PER_SUBJECT)
    session, sex = "AB"[rest // 5 % 2], "FM"[rest // 10]
    person = f"{session}{sex}{number + 1:02d}"
    return f"KDEF/{person}/{person}{_KDEF_CODES[row.code]}{_ANGLES[rest % 5]}.JPG"


def jaffe_name(row: dataset_rows.Row) -> str:
    """Return jaffe/KA.AN1.39.tiff of a row."""
    subject = row.index // _PER_SUBJECT
    initials = chr(65 + subject // 26 % 26) + chr(65 + subject % 26)
    return f"jaffe/{initials}.{_JAFFE_CODES[row.code]}{row.index % 3 + 1}.{row.index + 1}.tiff"


def write_lists(root: pathlib.Path, annotations: Sequence[scenes.Annotation]) -> None:
    """Write nothing: names are the only annotation."""


_JOB_FLAGS = ("--validation_frac=0.2",)

KDEF = base.Layout(
    "KDEF", functools.partial(image_path, name_of=kdef_name), write_lists, _JOB_FLAGS
)
JAFFE = base.Layout(
    "JAFFE", functools.partial(image_path, name_of=jaffe_name), write_lists, _JOB_FLAGS
)
