"""Any list of pictures and labels: --csv=train=a.csv,validation=b.csv
--columns=path=image,label=emotion.

For data sets whose form is not known here (RAF-DB, FER+, ExpW, lists of one's own). Numbers in it
are AffectNet's codes unless --labels says what they are: a list without the flag would be refused
only to be told what it is mostly meant.
"""

from pipeline.files import storage
from pipeline.rows import annotations
from pipeline.sources import base, folder_walk, label_names, line_ranges, split_names
from pipeline.sources.layouts import csv_columns, csv_rows
from runtime import errors

LOOKED_FOR = "the lists that --csv names"

read = csv_rows.read


def spot(folders: tuple[folder_walk.Folder, ...], request: base.Request) -> bool:
    """Tell whether there is a list to read.

    Raises:
      errors.UserError: if none is named.
    """
    if not request.csv:
        raise errors.UserError(
            "--layout=csv must be told which lists: add --csv=train=a.csv,validation=b.csv"
        )
    return "manual" in request.subsets


def find(
    root: storage.AnyPath, folders: tuple[folder_walk.Folder, ...], request: base.Request
) -> base.Release:
    """Return what the flags describe."""
    named = _lists(request.csv)
    settled = split_names.settle({split for split in named if split})
    notes = list(settled.notes)
    tables = []
    for split, path in named.items():
        table = _as_table(root, settled.splits.get(split, ""), path, folders, request)
        tables.append(_settled_by_rows(root, table, notes) if not split else table)
    if not request.labels and any(_has_numbers(root, table) for table in tables):
        notes.append(
            "numbers are taken for AffectNet's codes (0 neutral, 1 happy, 2 sad, …); --labels says otherwise"
        )
    return base.Release(layout="csv", root=str(root), tables=tuple(tables), notes=tuple(notes))


def _lists(text: str) -> dict[str, str]:
    """Return split → path; the split is empty for a single list."""
    if "=" not in text:
        return {"": text}
    given = label_names.pairs(text, flag="--csv", like="train=a.csv,validation=b.csv")
    found = {label_names.split_of(name): path for name, path in given}
    if "" in found or len(found) < len(given):
        raise errors.UserError(
            f"--csv must give each of train, validation and test one list: got {text}"
        )
    return found


def _as_table(
    root: storage.AnyPath,
    split: str,
    path: str,
    folders: tuple[folder_walk.Folder, ...],
    request: base.Request,
) -> base.Table:
    file = _existing(root, path)
    reading = _reading(file, request)
    images = "" if request.pictures else _images(file, reading, folders)
    return base.Table(
        layout="csv",
        split=split,
        subset="manual",
        path=storage.relative(file, root),
        images=images,
        parts=tuple(line_ranges.byte_ranges(file)),
        expected=(),
        reading=reading,
    )


def _existing(root: storage.AnyPath, path: str) -> storage.AnyPath:
    """Return the list: relative to the release, else to where the program was started."""
    for candidate in (storage.join(root, path), storage.path(path).absolute()):
        if candidate.is_file():
            return candidate
    raise errors.UserError(
        f"--csv must name files below {root}, or by their whole path: {path} is not there"
    )


def _reading(file: storage.AnyPath, request: base.Request) -> csv_rows.Reading:
    delimiter = line_ranges.delimiter_of(file)
    first = tuple(next(iter(line_ranges.head(file, delimiter=delimiter, num_rows=1)), []))
    reading = csv_rows.Reading(
        delimiter=delimiter,
        header_rows=1,
        columns=csv_columns.resolve(request.columns, first=first, where=file.name),
        first=first,
        labels=tuple(sorted(label_names.parse_labels(request.labels).items())),
        pictures=_template(request.pictures),
        splits=(),
    )
    return (
        reading
        if reading.columns.by_name or not _is_label(first, reading)
        else reading._replace(header_rows=0)
    )


def _template(text: str) -> str:
    return text if "{" in text or not text else text.rstrip("/") + "/{path}"


def _is_label(fields: tuple[str, ...], reading: csv_rows.Reading) -> bool:
    """Tell whether a line is data, in a list whose columns are numbered."""
    if len(reading.columns.of("label")) > 1:
        return all(csv_rows.number_in(fields[i]) is not None for i in reading.columns.of("label"))
    try:
        annotations.parse_label(csv_rows.code(fields, reading))
        return True
    except annotations.InvalidExample:
        return False


def _images(
    file: storage.AnyPath, reading: csv_rows.Reading, folders: tuple[folder_walk.Folder, ...]
) -> str:
    (place,) = reading.columns.of("path")
    rows = line_ranges.head(file, delimiter=reading.delimiter)[reading.header_rows :]
    beside = [folder for folder in folders if folder.path == file.parent]
    return folder_walk.folder_with(
        [row[place] for row in rows if len(row) > place], likely=[*beside, *folders], table=file
    )


def _settled_by_rows(root: storage.AnyPath, table: base.Table, notes: list[str]) -> base.Table:
    """Say which split is which in a list whose rows say it; a list that has no such column is all
    train."""
    reading: csv_rows.Reading = table.reading
    if not reading.columns.of("split"):
        notes.append(
            f"{table.path} is all train: --csv=train=…,validation=… or --columns=split=… say otherwise"
        )
        return table._replace(split="train")
    (place,) = reading.columns.of("split")
    values = {fields[place] for _, fields in csv_rows.all_rows(root, table) if len(fields) > place}
    if unknown := sorted(value for value in values if not label_names.split_of(value)):
        listed = ", ".join(unknown[:5])
        raise errors.UserError(
            f"the split column of {table.path} must say train, val or test: it says {listed}"
        )
    settled = split_names.settle({label_names.split_of(value) for value in values})
    notes += settled.notes
    return table._replace(reading=reading._replace(splits=tuple(sorted(settled.splits.items()))))


def _has_numbers(root: storage.AnyPath, table: base.Table) -> bool:
    places = table.reading.columns.of("label")
    rows = line_ranges.head(storage.join(root, table.path), delimiter=table.reading.delimiter)[
        table.reading.header_rows :
    ]
    return len(places) == 1 and any(
        csv_rows.number_in(row[places[0]]) is not None for row in rows if len(row) > places[0]
    )
