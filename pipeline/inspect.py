"""Inspect program: prints what is in an input folder, what the job recognises in it, and why.

The answer to "why does it not find my images". It takes the job's own flags on the input, so that
`inspect` can stand where `main` does. A switch of --dry_run was rejected: that reads every row,
needs a name for the build, and ends with the first refusal, which is where the questions begin.
"""

import dataclasses
import itertools
from collections.abc import Iterator

from affectnet_tfds import image_codec, labels
from pipeline import build, config
from pipeline.files import storage
from pipeline.rows import annotations
from pipeline.shards import image_files
from pipeline.sources import base, folder_walk, line_ranges
from pipeline.sources.layouts import registry
from runtime import errors, fields, flags, terminal, untrusted

ABOUT = """Print what an input folder holds and how the job reads it; nothing is written.

  python -m pipeline.inspect --input_dir=/data/RAF-DB"""

NUM_ROWS = 3
_MOST_LISTS = 5
_FLAGS = (
    "input_dir",
    "layout",
    "subsets",
    "csv",
    "columns",
    "labels",
    "pictures",
    "difficulty",
    "follow_links",
)
"""Flags of the job that decide how an input is read."""

Inspect = dataclasses.make_dataclass(
    "Inspect",
    [
        (f.name, f.type, dataclasses.field(default=f.default, metadata=f.metadata))
        for f in dataclasses.fields(config.JobConfig)
        if f.name in _FLAGS
    ],
    bases=(fields.Checked,),
    frozen=True,
    kw_only=True,
)

SECTIONS: dict[str, type] = {"Inspect": Inspect}


def run(asked: config.JobConfig) -> int:
    """Print what is there; return the exit code.

    Raises:
      errors.UserError: if there is no such folder, or nothing in it that the job reads.
    """
    root = storage.absolute(storage.path(asked.input_dir))
    request = build.request(asked)
    registry.check_folder(root)
    _say("folder", f"{root}: {registry.census(root)}")
    folders = folder_walk.walk(root, follow_links=asked.follow_links)
    for name, found in registry.detected(folders, request).items():
        state = "is there" if found else "is not there"
        _say("layout", f"{name} {state}: {registry.LAYOUTS[name].LOOKED_FOR}")
    for line in _lists(folders):
        _say("list", line)
    release = registry.recognise(root, request)
    _say("recognised", f"{release.layout} ({release.data}){_because(asked)}")
    for note in release.notes:
        _say("", note)
    for table in release.tables:
        images = f", images in {table.images}" if table.images else ""
        _say("rows of", f"{table.path or 'all folders'}{images}")
        print(_rows(root, release, table))
    for kind in release.passed_over:
        _say("passed over", f"{kind.files:,} × {kind.kind} (such as {kind.example})")
    return 0


def _because(asked: config.JobConfig) -> str:
    if asked.csv:
        return ", as --csv says"
    return "" if asked.layout == "auto" else ", as --layout says"


def _lists(folders: tuple[folder_walk.Folder, ...]) -> Iterator[str]:
    """Yield the first lists that are there, with their first lines, which --csv could name."""
    paths = (folder.path / name for folder in folders for name in folder.lists)
    for path in itertools.islice(paths, _MOST_LISTS):
        if path.name.lower().endswith(".csv"):
            yield f"{storage.relative(path, folders[0].path)} {_beginning(path)}"


def _beginning(path: storage.AnyPath) -> str:
    """Return how a list begins, or why it cannot be read: nobody may need it."""
    try:
        delimiter = line_ranges.delimiter_of(path)
        first = next(iter(line_ranges.head(path, delimiter=delimiter, num_rows=1)), [])
    except (errors.UserError, OSError) as error:
        return f"cannot be read as one: {error}"
    return "begins with " + (", ".join(f"{field:.30}" for field in first[:12]) or "an empty line")


def _rows(root: storage.AnyPath, release: base.Release, table: base.Table) -> str:
    """Return the first rows of a table, as they are understood, and the images they name."""
    parts = (base.Part(table._replace(parts=()), part) for part in table.parts)
    items = itertools.chain.from_iterable(registry.read(release.root, part) for part in parts)
    found = [
        _row(root, item, follow_links=table.follow_links)
        for item in itertools.islice(items, NUM_ROWS)
    ]
    if not found:
        return "              none"
    header = ["split", "expression", "image", "face", "file"]
    return terminal.table([header, *found], left=set(header))


def _row(
    root: storage.AnyPath, item: annotations.Row | annotations.Reject, *, follow_links: bool
) -> list[str]:
    if isinstance(item, annotations.Reject):
        return [item.split, f"rejected: {item.reason}", item.path, "", item.detail]
    box = ", ".join(f"{side:g}" for side in item.box) if item.box else "whole image"
    content = image_files.read(root, item.path, follow_links=follow_links)
    return [item.split, labels.EXPRESSIONS[item.label], item.path, box, _about(content)]


def _about(content: bytes | annotations.InvalidExample) -> str:
    if isinstance(content, annotations.InvalidExample):
        return f"{content.reason}: {content}"
    try:
        header = image_codec.read_header(content)
    except annotations.InvalidExample as defect:
        return f"{defect.reason}: {defect}"
    width, height = header.size
    return f"{header.format}, {width} x {height}"


def _say(what: str, text: str) -> None:
    print(f"{what:<13} {untrusted.printable(text)}", flush=True)


def main() -> int:
    """Inspect as the flags say."""
    return run(config.JobConfig(**config.given_like(flags.given(SECTIONS))))


if __name__ == "__main__":
    flags.define(SECTIONS)
    flags.run(main, sections=SECTIONS, about=ABOUT)
