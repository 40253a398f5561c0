"""What the job says at its end."""

import pytest

from pipeline import config, console, ledger
from pipeline.rows import survey
from pipeline.sources import base
from tests import terminal


@pytest.mark.parametrize(
    ("count", "said"), [(1, "1 image is"), (2, "2 images are"), (2372, "2,372 images are")]
)
def test_one_picture_is_and_several_are(count, said):
    assert console._images([()] * count) == said


@pytest.mark.parametrize("columns", [80, 200])
def test_the_account_of_all_of_affectnet_keeps_every_digit(columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr("sys.stdout", terminal.Terminal())
    lines = [
        ledger.Line(split, label, 239_976, 233_888, 143_143, 137_411, 134_915, 1_250, 233_888)
        for split in ("train", "validation")
        for label in (0, 9)
    ]
    text = console._account_table(ledger.Ledger(tuple(lines), ()))
    assert max(map(len, text.splitlines())) <= columns
    numbers = text.splitlines()[-1].split()
    assert numbers == [
        *("all", "959,904", "935,552", "572,572", "549,644", "539,660", "5,000", "935,552"),
    ]


@pytest.mark.parametrize(
    ("is_dropped", "said"),
    [
        (False, "1 of them in train and in validation: duplicates.csv"),
        (True, "1 of them in train and in validation, of each of which one was kept: duplicates"),
    ],
)
def test_near_copies_that_were_dropped_are_not_said_to_be_there(is_dropped, said, capsys):
    near = {"within_split": [["a", "b"]], "across_splits": [["c", "d"]]}
    found = {"near_duplicates": near, "labels_disagree": [], "not_looked_at": 0}
    console.Console()._print_near_duplicates(found, is_dropped=is_dropped)
    printed = capsys.readouterr().out
    assert "2 pictures are there in several versions" in printed
    assert said in printed


def test_what_became_of_the_rows_of_lists_is_told_but_the_excluded_ones_twice(tmp_path, capsys):
    found = survey.Survey()
    found.listed.update(
        {survey.EXCLUDED: 2, survey.RELABELLED: 3, survey.WITHOUT_ROW.format(flag="exclude"): 4}
    )
    release = base.Release("2017", str(tmp_path), ())
    console.Console().found(release, found, config.JobConfig(input_dir=str(tmp_path)))
    assert capsys.readouterr().out.splitlines() == [
        "lists         4 × lines of --exclude that name no row",
        "lists         3 × relabelled by a list",
    ]
