"""Row format: every row comes back exactly, and reading runs no code."""

import math
import pickle
import struct

import pytest

from pipeline.rows import annotations, row_format, row_index, stable_hash

ROW = annotations.Row(
    split="train",
    subset="manual",
    path="p/1.jpg",
    filename="1.jpg",
    label=3,
    valence=0.1,
    arousal=-0.25,
    box=(1.0, 2.0, 30.5, 40.0),
    box_from="annotation",
    landmarks=b"",
    source="training.csv row 7",
)


def exact(row: annotations.Row) -> tuple[str, list[bytes]]:
    """Text that differs if a value or a type does, and the bits of the floats."""
    return repr(row), [struct.pack("<d", value) for value in (row.valence, row.arousal)]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"valence": 0.1 + 0.2, "arousal": 5e-324},
        {"valence": 1 / 3, "arousal": -0.0},
        {"valence": math.nan, "arousal": math.nan},
        {"box": None, "box_from": "picture"},
        {"box": (0, 1, 2, 3)},
        {"soft_label": (0.5, 1e-17, 0.0, 0.0, 0.0, 0.0, 0.0, 0.5)},
        {"landmarks": bytes(range(256)) + b"\n\n[0]" * 72},
        {"filename": 'a "b"\n\t\\c.jpg', "source": "Übung, 图\u2028"},
        {"path": "p/\udcff\udc80.jpg", "filename": "\udcff\udc80.jpg"},
        {"label": -1, "left_out": "difficulty is challenging"},
    ],
)
def test_a_row_comes_back_exactly(fields):
    row = ROW._replace(**fields)
    assert exact(row_format.decode(row_format.encode(row))) == exact(row)


def test_the_format_is_pinned():
    # A change here needs another VERSION.
    assert row_format.VERSION == 2
    assert row_format.encode(ROW._replace(valence=math.nan, landmarks=b"\x00\n")) == (
        b'["train","manual","p/1.jpg","1.jpg",3,NaN,-0.25,[1.0,2.0,30.5,40.0],"annotation",null,'
        b'"training.csv row 7",[],""]\n\x00\n'
    )


class RunsCode:
    """An object whose pickle runs code when it is read."""

    def __reduce__(self):
        return (pytest.fail, ("code was run",))


def test_a_pickle_is_refused_and_never_run():
    with pytest.raises(ValueError):  # json.JSONDecodeError or UnicodeDecodeError
        row_format.decode(pickle.dumps(RunsCode()))


def test_rows_of_an_older_format_are_not_opened_and_are_discarded(tmp_path):
    old = tmp_path / "rows-000000"
    old.write_bytes(pickle.dumps(RunsCode()))
    assert row_index.rows_of_part(tmp_path, 0) != old
    row_index.clear(tmp_path)
    assert not old.exists()


def test_a_name_that_is_no_valid_utf8_has_a_key_of_its_own():
    keys = {stable_hash.key(name, 0) for name in ("\udcff.jpg", "\udcfe.jpg", "ÿ.jpg", ".jpg")}
    assert len(keys) == 4
