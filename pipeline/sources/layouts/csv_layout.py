"""Layout of any list of images and labels: --csv=train=a.csv --columns=path=image,label=emotion.

For data sets that have no layout of their own (RAF-DB, FER+, ExpW, lists of one's own). Numbers are
AffectNet's codes unless --labels gives their meaning. Requiring the flag was rejected: most lists
hold AffectNet's codes, and the job prints how it takes them.
"""

from collections.abc import Sequence

from affectnet_tfds import image_names
from pipeline.files import storage
from pipeline.rows import annotations
from pipeline.sources import base, folder_walk, label_names, line_ranges, split_names
from pipeline.sources.layouts import csv_columns, csv_rows
from runtime import errors

Folders = tuple[folder_walk.Folder, ...]

LOOKED_FOR = "the lists that --csv names"

read = csv_rows.read


def detect(folders: tuple[folder_walk.Folder, ...], request: base.Request) -> bool:
    """Tell whether there is a list to read.

    Raises:
      errors.UserError: if none is named.
    """
    if not request.csv:
        raise errors.UserError(
            "--layout=csv needs the lists to read: add --csv=train=a.csv,validation=b.csv"
        )
    return "manual" in request.subsets


def find_release(
    root: storage.AnyPath, folders: tuple[folder_walk.Folder, ...], request: base.Request
) -> base.Release:
    """Return the release that the flags describe."""
    lists = _lists(request.csv)
    settled = split_names.settle({split for split in lists if split})
    notes = list(settled.notes)
    tables = []
    for split, path in lists.items():
        table = _as_table(root, settled.splits.get(split, ""), path, folders, request)
        if not split:
            table = _settled_by_rows(root, table, notes)
        tables.append(table)
    notes += [note for table in tables if (note := _unread_note(table))]
    if not request.labels and any(_has_numbers(root, table) for table in tables):
        notes.append(
            "numbers are taken as AffectNet's codes (0 neutral, 1 happy, 2 sad, …); "
            "--labels gives them another meaning"
        )
    return base.Release(layout="csv", root=str(root), tables=tuple(tables), notes=tuple(notes))


def _unread_note(table: base.Table) -> str:
    reading: csv_rows.Reading = table.reading
    if not reading.columns.by_name:
        return ""
    used = {index for _, indices in reading.columns.places for index in indices}
    unread = [name for index, name in enumerate(reading.first) if index not in used]
    return csv_columns.unread_note(table.path, unread, known=csv_columns.known_names())


def _lists(text: str) -> dict[str, str]:
    """Return split → path; the split is empty for a single list."""
    if "=" not in text:
        return {"": text}
    given = label_names.pairs(text, flag="--csv", like="train=a.csv,validation=b.csv")
    lists = {label_names.split_of(name): path for name, path in given}
    if "" in lists or len(lists) < len(given):
        raise errors.UserError(
            f"--csv must give each of train, validation and test one list: got {text}"
        )
    return lists


def _as_table(
    root: storage.AnyPath,
    split: str,
    path: str,
    folders: tuple[folder_walk.Folder, ...],
    request: base.Request,
) -> base.Table:
    file = _existing(root, path)
    reading = _reading(file, request)
    likely = _likely(split, file, folders, has_template=bool(reading.pictures))
    reading = reading._replace(pictures=_found_template(root, file, reading, likely))
    images = folder_walk.image_folder(
        _paths(root, file, reading),
        likely=likely,
        table=file,
        or_else="name their folder, as in --pictures=images/{name}",
    )
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
    """Return the list: relative to the release, else to the working directory."""
    for candidate in (storage.join(root, path), storage.path(path).absolute()):
        if candidate.exists() and not candidate.is_dir():
            return candidate
    raise errors.UserError(
        f"--csv must name files below {root}, or by their absolute path: {path} does not exist"
    )


def _reading(file: storage.AnyPath, request: base.Request) -> csv_rows.Reading:
    delimiter = line_ranges.delimiter_of(file)
    first = tuple(next(iter(line_ranges.head(file, delimiter=delimiter, num_rows=1)), []))
    if not any(map(str.strip, first)):
        raise errors.UserError(f"{file} must have rows: its first line is empty")
    reading = csv_rows.Reading(
        delimiter=delimiter,
        header_rows=1,
        columns=csv_columns.resolve(
            request.columns,
            first=first,
            where=file.name,
            groups=request.columns_of_groups(),
        ),
        first=first,
        labels=tuple(sorted(label_names.parse_labels(request.labels).items())),
        pictures=_template(request.pictures),
        splits=(),
    )
    if not reading.columns.by_name and _is_data(first, reading):
        return reading._replace(header_rows=0)
    return reading


def _template(text: str) -> str:
    """Return the template that --pictures gives: a folder stands for the paths below it."""
    if "{" in text or not text:
        return text
    return text.rstrip("/") + "/{path}"


def _is_data(fields: tuple[str, ...], reading: csv_rows.Reading) -> bool:
    """Tell by its label whether the first line is data, in a list whose columns are numbered."""
    if len(reading.columns.of("label")) > 1:
        return all(csv_rows.number_in(fields[i]) is not None for i in reading.columns.of("label"))
    try:
        annotations.parse_label(csv_rows.code(fields, reading))
        return True
    except annotations.InvalidExample:
        return False


def _likely(
    split: str, file: storage.AnyPath, folders: Folders, *, has_template: bool
) -> list[folder_walk.Folder]:
    """Return all folders that may hold a list's images, the likeliest first.

    Those named after the list's split come before others: numbers for names are in each of them.
    A template is relative to the release's root, if its images are there.
    """
    named = [
        folder
        for folder in folders
        if split and split in map(label_names.split_of, folder.relative.split("/"))
    ]
    beside = [folder for folder in folders if folder.path == file.parent]
    return [*folders[: int(has_template)], *named, *beside, *folders]


def _found_template(
    root: storage.AnyPath,
    file: storage.AnyPath,
    reading: csv_rows.Reading,
    likely: Sequence[folder_walk.Folder],
) -> str:
    """Return the template of the images' paths: with an ending, where the list has names without.

    Where it is not found, it is the given one.
    """
    names = [path.rpartition("/")[2] for path in _paths(root, file, reading)]
    if reading.pictures or not names or any("." in name for name in names):
        return reading.pictures
    for ending in image_names.ENDINGS:
        template = "{path}" + ending
        paths = _paths(root, file, reading._replace(pictures=template))
        if folder_walk.best_folder(paths, likely=likely)[1]:
            return template
    return reading.pictures


def _paths(root: storage.AnyPath, file: storage.AnyPath, reading: csv_rows.Reading) -> list[str]:
    """Return the paths of a list's first images."""
    (column,) = reading.columns.of("path")
    rows = line_ranges.head(file, delimiter=reading.delimiter)[reading.header_rows :]
    return [
        csv_rows.image_path(row[column], template=reading.pictures, root=str(root))
        for row in rows
        if len(row) > column
    ]


def _settled_by_rows(root: storage.AnyPath, table: base.Table, notes: list[str]) -> base.Table:
    """Assign the splits in a list's split column; a list without that column is all train."""
    reading: csv_rows.Reading = table.reading
    if not reading.columns.of("split"):
        notes.append(
            f"{table.path} is all train: --csv=train=…,validation=… or --columns=split=… divides it"
        )
        return table._replace(split="train")
    (column,) = reading.columns.of("split")
    values = {
        fields[column]
        for _, fields in csv_rows.all_rows(root, table)
        if isinstance(fields, list) and len(fields) > column
    }
    if unknown := sorted(value for value in values if not label_names.split_of(value)):
        raise errors.UserError(
            f"the split column of {table.path} must have train, val or test: "
            f"it has {', '.join(name[:40] or 'empty fields' for name in unknown[:5])}"
        )
    settled = split_names.settle({label_names.split_of(value) for value in values})
    notes += settled.notes
    return table._replace(reading=reading._replace(splits=tuple(sorted(settled.splits.items()))))


def _has_numbers(root: storage.AnyPath, table: base.Table) -> bool:
    """Tell whether a list's first labels are numbers; votes are not."""
    reading: csv_rows.Reading = table.reading
    if len(reading.columns.of("label")) > 1:
        return False
    (column,) = reading.columns.of("label")
    head = line_ranges.head(storage.join(root, table.path), delimiter=reading.delimiter)
    labels = [row[column] for row in head[reading.header_rows :] if len(row) > column]
    return any(csv_rows.number_in(label) is not None for label in labels)
