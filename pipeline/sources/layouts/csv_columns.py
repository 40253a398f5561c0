"""Column mapping of a list, from --columns=path=image,label=emotion,left=x0,… and its header.

Columns are named as in the header, or numbered from 1 where there is none. Only unambiguous names
are guessed; a box is not: "width" is as often the image's.
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from pipeline.sources import folder_walk, label_names
from runtime import errors, fields

ROLES = (
    "path",
    "label",
    "split",
    "x",
    "y",
    "width",
    "height",
    "right",
    "bottom",
    "landmarks",
    "valence",
    "arousal",
)
OTHER_NAMES = {"left": "x", "top": "y", "x1": "x", "y1": "y", "x2": "right", "y2": "bottom"}
BOXES = ({"x", "y", "width", "height"}, {"x", "y", "right", "bottom"})

_MOST_NAMED = 12
_MISSPELT = 0.8
"""Likeness (difflib) from which a name is a known one that was misspelt."""

_KNOWN = {
    "path": (
        "path",
        "image",
        "imagename",
        "imagepath",
        "img",
        "file",
        "filename",
        "filepath",
        "pth",
    ),
    "label": ("label", "emotion", "expression", "class"),
    "split": ("split", "usage"),
    "valence": ("valence",),
    "arousal": ("arousal",),
}


class Columns(NamedTuple):
    """Indices of a row's fields."""

    places: tuple[tuple[str, tuple[int, ...]], ...]  # role → indices; several for a label by votes
    by_name: bool  # some are named, so that there is a header

    def of(self, role: str) -> tuple[int, ...]:
        """Return the indices of a role; none where there is no such column."""
        return dict(self.places).get(role, ())

    def groups(self) -> dict[str, int]:
        """Return the attributes to read: name to index."""
        return {
            role.removeprefix(_GROUP): indices[0]
            for role, indices in self.places
            if role.startswith(_GROUP)
        }


_GROUP = "group "
"""Begins the role of an attribute's column."""


def resolve(
    text: str, *, first: Sequence[str], where: str, groups: Mapping[str, str] | None = None
) -> Columns:
    """Find the columns that --columns names, and those whose header is unambiguous.

    Args:
      text: the flag. label may name several columns, joined by "+": the one with the most votes is
        the label.
      first: fields of the list's first line.
      where: the list, for messages.
      groups: attributes to read, name to column.

    Raises:
      errors.UserError: for an unknown role or column, a role twice, a box without all its sides,
        and no path or label.
    """
    given = _given(text)
    guessed = {
        role: column for role in _KNOWN if role not in given and (column := _guess(role, first))
    }
    names = {**guessed, **given}
    names |= {f"{_GROUP}{name}": column for name, column in (groups or {}).items()}
    places = {
        role: tuple(_index(name, first, role, where) for name in _names(column, role))
        for role, column in names.items()
    }
    if missing := [role for role in ("path", "label") if role not in places]:
        raise errors.UserError(
            f"{where} must have a column for the {missing[0]}: it has {', '.join(first)}; "
            f"name it with --columns={missing[0]}=… (by name, or by number from 1)"
        )
    box = set(places) & (BOXES[0] | BOXES[1])
    if box and box not in BOXES:
        raise errors.UserError(
            "a box in --columns must be x, y, width, height or left, top, right, bottom: got "
            + ", ".join(role for role in ROLES if role in box)
        )
    by_name = any(
        not column.isdecimal() for columns in names.values() for column in columns.split("+")
    )
    return Columns(tuple(sorted(places.items())), by_name)


def _given(text: str) -> dict[str, str]:
    """Return the columns that --columns names, by role."""
    given: dict[str, str] = {}
    for name, columns in label_names.pairs(text, flag="--columns", like="path=image,label=emotion"):
        role = _role(name)
        if role in given:
            raise errors.UserError(
                f"--columns must name {role} once: got {given[role]} and {columns}"
            )
        given[role] = columns
    return given


def unread_note(where: str, unread: Iterable[str], *, known: Iterable[str]) -> str:
    """Return the sentence about columns that are not read, with the nearest known names, or ""."""
    names = list(known)
    listed = [f"{name}{_guessed(name, names)}" for name in unread if name.strip()]
    if not listed:
        return ""
    more = ", …" if listed[_MOST_NAMED:] else ""
    return f"{where}: columns that are not read: {', '.join(listed[:_MOST_NAMED])}{more}"


def _guessed(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name.lower(), known, n=1, cutoff=_MISSPELT)
    return f" (did you mean {close[0]}?)" if close else ""


def _role(name: str) -> str:
    role = OTHER_NAMES.get(name.lower(), name.lower())
    if role not in ROLES:
        known = ", ".join([*ROLES, *OTHER_NAMES])
        raise errors.UserError(f"--columns knows {known}: got {name!r}")
    return role


def _names(column: str, role: str) -> list[str]:
    """Return the columns of a role; only a label may have several."""
    if role != "label":
        return [column]
    return column.split("+")


def known_names() -> list[str]:
    """Return the names by which columns are recognised."""
    return [name for names in _KNOWN.values() for name in names]


def _guess(role: str, first: Sequence[str]) -> str:
    """Return the one column with a known name for the role; "" for none, and for several."""
    known = [name for name in first if folder_walk.normalised(name) in _KNOWN[role]]
    if len(known) != 1:
        return ""
    return known[0]


def _index(column: str, first: Sequence[str], role: str, where: str) -> int:
    wanted = column.strip()
    if fields.is_count(wanted) and 1 <= int(wanted) <= len(first):
        return int(wanted) - 1
    for same in (str.strip, folder_walk.normalised):
        found = [index for index, name in enumerate(first) if same(name) == same(wanted)]
        if len(found) > 1:
            numbers = " and ".join(str(index + 1) for index in found)
            raise errors.UserError(
                f"{where} has columns {numbers} called {wanted!r}: give the number of one, as in "
                f"--{_flag(role)}={found[0] + 1}"
            )
        if found:
            return found[0]
    raise errors.UserError(
        f"{where} has no column {wanted!r} for the {role}: it has {', '.join(first)}; "
        f"name it with --{_flag(role)}=… (by name, or by number from 1)"
    )


def _flag(role: str) -> str:
    """Return the flag that gives a role its column, without its value."""
    if role.startswith(_GROUP):
        return f"groups={role.removeprefix(_GROUP)}"
    return f"columns={role}"
