"""File links: from the evaluation page to the files beside it and to those of the data.

Owns which files these are. Links are relative, so that they hold where folders are moved together;
a file that is not there is not named.
"""

import os
import pathlib
import urllib.parse
from collections.abc import Sequence
from typing import NamedTuple

from webpage import markup

_OF_RUN = {
    "config.json": "settings of the training",
    "history.csv": "numbers of each epoch",
    "journal.json": "each start: command, versions, revision, hardware",
}
_OF_DATA = {
    "report.html": "report on the data",
    "rejects.csv": "rows that could not be used",
    "build_report.json": "what became of every row",
}


class FileLink(NamedTuple):
    """A file: its address relative to the page, its name and what is in it."""

    href: str
    name: str
    content: str


def of_report(names: Sequence[tuple[str, str]]) -> list[FileLink]:
    """Return links to files beside the page, of (name, content) each."""
    return [FileLink(urllib.parse.quote(name), name, content) for name, content in names]


def of_run(folder: pathlib.Path) -> list[FileLink]:
    """Return links to a run's own files, where the page is in its folder."""
    return of_report([(name, what) for name, what in _OF_RUN.items() if (folder / name).is_file()])


def of_data(version: pathlib.Path, *, folder: pathlib.Path) -> list[FileLink]:
    """Return links from a page in a folder to the files of a published version."""
    try:
        way = pathlib.Path(os.path.relpath(version, folder)).as_posix()
    except ValueError:  # On another drive of Windows.
        return []
    return [
        FileLink(urllib.parse.quote(f"{way}/{name}"), f"{_name(version)}/{name}", what)
        for name, what in _OF_DATA.items()
        if (version / name).is_file()
    ]


def _name(version: pathlib.Path) -> str:
    """Return config and number of a version, as its folders have them."""
    return f"{version.parent.name}/{version.name}"


def listed(links: Sequence[FileLink]) -> markup.Markup | None:
    """Return links as a list, or nothing where there are none."""
    if not links:
        return None
    items = [
        markup.element(
            "li",
            markup.element("a", markup.name_of_file(link.name), href=link.href),
            f" {link.content}",
        )
        for link in links
    ]
    return markup.element("ul", items, class_="files")
