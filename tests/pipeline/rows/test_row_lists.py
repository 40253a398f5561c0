"""Rows that --exclude leaves out and --relabel gives other labels."""

import numpy as np
import pytest

from pipeline.rows import annotations, row_index, row_lists, stable_hash, survey
from runtime import errors


def row(name: str, label: int, split: str = "train") -> annotations.Row:
    place = annotations.Place(split, "manual", "", "", f"list.csv {name}")
    found = annotations.parse({"path": name, "label": str(label)}, place)
    assert isinstance(found, annotations.Row)
    return found


ROWS = [row("a.jpg", 1), row("b.jpg", 2), row("b.jpg#2", 3), row("a.jpg", 1, "validation")]


def applied(tmp_path, *, exclude="", relabel=""):
    """The corrections, and (number, label) of the rows that stay."""
    paths = {}
    for name, text in {"exclude": exclude, "relabel": relabel}.items():
        (tmp_path / name).write_text(text)
        paths[name] = str(tmp_path / name) if text else ""
    lists = row_lists.read(**paths)
    entries = np.zeros(len(ROWS), row_index.ENTRY)
    entries["start"] = np.arange(len(ROWS))
    entries["key"] = [stable_hash.key(each.filename, 7) for each in ROWS]
    entries["label"] = [each.label for each in ROWS]
    fetched = []

    def fetch(found):
        fetched.extend(found["start"].tolist())
        return [ROWS[at] for at in found["start"]]

    corrections, stay = row_lists.apply(lists, entries, fetch=fetch, seed=7)
    corrections.fetched = fetched
    return corrections, [(int(each["start"]), int(each["label"])) for each in stay]


def test_an_excluded_row_is_dropped_in_the_split_that_is_named(tmp_path):
    corrections, stay = applied(tmp_path, exclude="split,filename\ntrain,a.jpg\n")
    assert stay == [(1, 2), (2, 3), (3, 1)]
    assert corrections.dropped == {("train", "manual", 1, "excluded by a list"): 1}
    assert corrections.counts == {("train", "manual", 1): -1}


def test_without_a_split_all_are_meant(tmp_path):
    assert applied(tmp_path, exclude="filename\na.jpg\n")[1] == [(1, 2), (2, 3)]


def test_faces_of_a_file_are_told_apart(tmp_path):
    assert applied(tmp_path, exclude="filename\nb.jpg\n")[1] == [(0, 1), (2, 3), (3, 1)]
    assert applied(tmp_path, exclude="filename\nb.jpg#2\n")[1] == [(0, 1), (1, 2), (3, 1)]


def test_a_relabelled_row_gets_its_label_and_is_counted_there(tmp_path):
    text = "split,filename,given,suggested\ntrain,b.jpg,sad,fear\n"
    corrections, stay = applied(tmp_path, relabel=text)
    assert stay == [(0, 1), (1, 4), (2, 3), (3, 1)]
    assert corrections.counts == {("train", "manual", 2): -1, ("train", "manual", 4): 1}
    assert corrections.listed == {"relabelled by a list": 1}
    assert corrections.fetched == [1]  # Rows that no list names are not read.


def test_a_row_with_another_label_than_the_list_gives_stays_as_it_is(tmp_path):
    corrections, stay = applied(tmp_path, relabel="filename,given,suggested\nb.jpg,happy,fear\n")
    assert stay[1] == (1, 2)
    assert corrections.listed == {"with another label than the list gives": 1}
    with pytest.raises(errors.UserError, match="1 have other labels than it gives"):
        row_lists.check_found(
            row_lists.read(exclude="", relabel=str(tmp_path / "relabel")), surveyed=corrections
        )


@pytest.mark.parametrize("flag", ["exclude", "relabel"])
def test_a_misspelt_split_is_refused(tmp_path, flag):
    text = "split,filename,given,suggested\ntrain,b.jpg,sad,fear\ntrian,a.jpg,happy,sad\n"
    with pytest.raises(errors.UserError, match=r"row 2: split must be one of .*: got 'trian'"):
        applied(tmp_path, **{flag: text})


def test_a_list_of_other_data_is_refused(tmp_path):
    (tmp_path / "x.csv").write_text("filename\nz.jpg\n")
    lists = row_lists.read(exclude=str(tmp_path / "x.csv"), relabel="")
    with pytest.raises(errors.UserError, match=r"of 1 rows, the first z\.jpg, none is there"):
        row_lists.check_found(lists, surveyed=survey.Survey())


def test_lists_that_contradict_each_other_are_refused(tmp_path):
    with pytest.raises(errors.UserError, match=r"both name a\.jpg of train"):
        applied(
            tmp_path,
            exclude="filename\na.jpg\n",
            relabel="filename,given,suggested\na.jpg,happy,sad\n",
        )


def test_a_label_that_the_list_lacks_is_refused(tmp_path):
    with pytest.raises(errors.UserError, match="row 1 must have both the given and the suggested"):
        applied(tmp_path, relabel="filename,given,suggested\na.jpg,happy,\n")


def test_listed_rows_outlast_the_file_that_a_survey_is_kept_in():
    counted = survey.Survey()
    counted.relabel(row("a.jpg", 1), label=2)
    again = survey.Survey.from_json(counted.to_json())
    assert again.merge(counted).listed == {"relabelled by a list": 2}


def lines_without_row(tmp_path, **given):
    counted = applied(tmp_path, **given)[0]
    again = survey.Survey.from_json(counted.to_json())
    paths = {name: str(tmp_path / name) if name in given else "" for name in ("exclude", "relabel")}
    row_lists.count_lines_without_row(row_lists.read(**paths), surveyed=again)
    return {fate: count for fate, count in again.listed.items() if "no row" in fate}


def test_lines_that_name_no_row_are_counted_by_list(tmp_path):
    exclude = "split,filename\nvalidation,c.jpg\ntrain,a.jpg\n,b.jpg#4\n"
    relabel = "filename,given,suggested\nb.jpg,sad,fear\nb.jpg#3,happy,fear\n"
    assert lines_without_row(tmp_path, exclude=exclude, relabel=relabel) == {
        "lines of --exclude that name no row": 2,
        "lines of --relabel that name no row": 1,
    }


def test_a_line_about_all_splits_names_a_row_once(tmp_path):
    assert lines_without_row(tmp_path, exclude="filename\na.jpg\nx.jpg\n") == {
        "lines of --exclude that name no row": 1
    }


def test_a_row_with_another_label_is_there(tmp_path):
    relabel = "filename,given,suggested\nb.jpg,happy,fear\na.jpg,happy,sad\n"
    assert lines_without_row(tmp_path, relabel=relabel) == {}
