"""The bar of a build."""

import json

import pytest

from pipeline import progress
from tests import terminal


def finish_shard(folder, *, name, examples, rejects):
    content = {"num_examples": examples, "rejects": [["train"]] * rejects}
    (folder / f"affectnet_faces-{name}.json").write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("last", "line"),
    [
        (True, "shards  ██████████ 2/2  9 of 9 crops  "),
        (False, "shards  ████░░░░░░ 1/2  4 of 10 crops  "),
    ],
)
def test_a_bar_is_full_when_all_shards_are_there_whatever_was_rejected(
    tmp_path, last, line, capsys
):
    with progress.Bar(tmp_path, num_shards=2, num_examples=10):
        finish_shard(tmp_path, name="train-0", examples=4, rejects=1)
        if last:
            finish_shard(tmp_path, name="train-1", examples=5, rejects=0)
    printed = capsys.readouterr().out
    assert printed.startswith(line) and printed.endswith("left  rejected 1\n")


@pytest.mark.parametrize("columns", [80, 40])
def test_at_the_end_a_terminal_shows_one_line_of_a_large_build(tmp_path, columns, monkeypatch):
    screen = terminal.Terminal()
    monkeypatch.setattr("sys.stdout", screen)
    monkeypatch.setenv("COLUMNS", str(columns))
    with progress.Bar(tmp_path, num_shards=66, num_examples=159_888) as bar:
        for shard in range(3):
            finish_shard(tmp_path, name=f"train-{shard}", examples=2_422, rejects=1)
            bar._show(final=False)
    (line,) = screen.rows(columns=columns)
    whole = "shards  3/66  7,266 of 159,888 crops  "
    assert line.startswith(whole if columns == 80 else "shards  3/66  ") and " left" in line


def test_where_no_line_can_be_replaced_there_is_one_a_minute(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(progress, "_PLAIN_EVERY_S", 0.0)
    with progress.Bar(tmp_path, num_shards=2, num_examples=10) as bar:
        bar._show(final=False)
        bar._show(final=False)
    assert capsys.readouterr().out.count("shards  ░░░░░░░░░░ 0/2  0 of 10 crops") >= 3
