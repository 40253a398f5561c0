"""Lists of rows: cut into ranges, lines of every end and length, what is no list."""

import csv
import os
import tracemalloc

import pytest

from pipeline.rows import annotations
from pipeline.sources import base, line_ranges
from runtime import errors

WHOLE = base.Range(0, 1 << 40, 1)


def lines(path, part=WHOLE):
    return [
        (number, str(fields) if isinstance(fields, annotations.InvalidExample) else fields)
        for number, fields in line_ranges.rows(path, part)
    ]


@pytest.fixture
def written(tmp_path):
    def write(content: bytes):
        path = tmp_path / "list.csv"
        path.write_bytes(content)
        return path

    return write


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("chunk_bytes", [1, 4, 5, 7, 1 << 20])
def test_any_cut_gives_every_line_once_under_its_number(written, end, chunk_bytes):
    path = written(end.join([b"a,1", b"", b"bb,2", b"c,33", b"d"]))
    expected = [(1, ["a", "1"]), (2, []), (3, ["bb", "2"]), (4, ["c", "33"]), (5, ["d"])]
    assert lines(path) == expected
    parts = list(line_ranges.byte_ranges(path, chunk_bytes=chunk_bytes))
    assert [line for part in parts for line in lines(path, part)] == expected
    assert sum(part.num_bytes for part in parts) == path.stat().st_size


def test_a_stray_carriage_return_is_a_space(written):
    assert lines(written(b"a,1\nb\r,2\nc,3\r\n")) == [
        (1, ["a", "1"]),
        (2, ["b ", "2"]),
        (3, ["c", "3"]),
    ]


def test_a_long_field_is_read_and_an_endless_line_is_one_reject(written):
    assert csv.field_size_limit() == line_ranges.LINE_BYTES
    long = b"x" * 200_000
    endless = b"y" * (3 * line_ranges.LINE_BYTES)
    path = written(b"a," + long + b"\n" + endless + b"\nb,2\n")
    rejected = f"a row may have 1,048,576 bytes: got {len(endless) + 1:,}"
    expected = [(1, ["a", long.decode()]), (2, rejected), (3, ["b", "2"])]
    assert lines(path) == expected
    parts = list(line_ranges.byte_ranges(path, chunk_bytes=1000))
    assert [part.first for part in parts] == [1, 2, 3]
    assert [line for part in parts for line in lines(path, part)] == expected


def test_bytes_that_are_no_utf_8_are_those_of_a_file_name(written):
    ((_, fields),) = lines(written(b"fr\xf6hlich.jpg,1"))
    assert os.fsencode(fields[0]) == b"fr\xf6hlich.jpg"


def test_a_list_in_utf_16_is_named_before_any_row_is_read(written):
    path = written("image,label\na.jpg,1\n".encode("utf-16"))
    for read in (lines, line_ranges.head, lambda path: list(line_ranges.byte_ranges(path))):
        with pytest.raises(errors.UserError, match="is in UTF-16, and must be in UTF-8"):
            read(path)


def test_a_line_as_long_as_a_list_takes_no_more_memory_than_a_range(written):
    path = written(b"a,1\nb,")
    os.truncate(path, 200_000_000)
    tracemalloc.start()
    (whole,) = line_ranges.byte_ranges(path)
    (first, second) = line_ranges.rows(path, whole)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert whole == base.Range(0, 200_000_000, 1)
    assert first == (1, ["a", "1"])
    assert "a row may have 1,048,576 bytes: got 199,999,996" in str(second[1])
    assert peak < 3 * line_ranges.CHUNK_BYTES


def test_a_list_that_is_endless_is_not_opened(written, tmp_path):
    path = written(b"a,1\n")
    os.truncate(path, 800_000_000_000)
    with pytest.raises(OSError, match=r"800,000.0 MB, and such a file may have 400,000 MB"):
        lines(path)
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(OSError, match="a named pipe"):
        list(line_ranges.byte_ranges(tmp_path / "fifo"))


@pytest.mark.parametrize("line", ["sep=;\r\n", '\ufeff"sep=,"\n', "SEP=\t\r"])
def test_a_line_for_excel_is_named(tmp_path, line):
    path = tmp_path / "list.csv"
    path.write_bytes(f"{line}image;label\n".encode())
    with pytest.raises(errors.UserError, match=r"begins with a line for Excel, .*: delete that"):
        line_ranges.head(path)
