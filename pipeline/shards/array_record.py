"""ArrayRecord shards: the records of a TFRecord shard in the format that TFDS reads by index.

Owns how they are written: a group of one record, so that each can be read alone, and without
compression, which gains nothing on JPEG and would tie the bytes to a version of its library.
"""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.files import atomic, storage

_OPTIONS = "group_size:1,uncompressed"


def write(place: storage.AnyPath, records: Sequence[bytes]) -> None:
    """Write records as an ArrayRecord file, which appears as a whole."""
    # Inside: the module is of an extra.
    from array_record.python import array_record_module

    with tempfile.TemporaryDirectory() as folder:
        local = Path(folder, place.name)
        writer = array_record_module.ArrayRecordWriter(str(local), _OPTIONS)
        for record in records:
            writer.write(record)
        writer.close()
        with (
            local.open("rb") as written,
            atomic.writing(place, size_bytes=local.stat().st_size) as file,
        ):
            shutil.copyfileobj(written, file)


def defect(place: storage.AnyPath, records: Sequence[bytes]) -> str:
    """Return what is wrong with an ArrayRecord file that should have these records, or ""."""
    try:
        found = _read(place)
    except (RuntimeError, ValueError, IndexError) as error:  # As the library raises them.
        return f"it cannot be read ({' '.join(str(error).split()):.200})"
    if len(found) != len(records):
        return f"it has {len(found):,} records, not {len(records):,}"
    for index, (one, other) in enumerate(zip(found, records, strict=True)):
        if one != other:
            return f"its record {index} is not the one of the TFRecord shard"
    return ""


def _read(place: storage.AnyPath) -> list[bytes]:
    from array_record.python import array_record_module

    with _on_disk(place) as local:
        reader = array_record_module.ArrayRecordReader(str(local), "")
        try:
            records: list[bytes] = reader.read_all()
            return records
        finally:
            reader.close()


@contextlib.contextmanager
def _on_disk(place: storage.AnyPath) -> Iterator[Path]:
    """Yield a file on a disk with the content of one that may be in a store."""
    if isinstance(place, Path):
        yield place
        return
    with tempfile.TemporaryDirectory() as folder:
        local = Path(folder, place.name)
        with place.open("rb") as content, local.open("wb") as file:
            shutil.copyfileobj(content, file)
        yield local
