"""Probabilities of others: a CSV matched to examples, and each sentence about one that is wrong."""

import numpy as np
import pytest

from runtime import errors
from tests.trainer.arena.conftest import NAMES
from trainer.arena import adapter, probabilities

CLASSES = ["neutral", "happy", "sad"]


def table_of(tmp_path, *lines, header="id,sad,neutral,happy"):
    path = tmp_path / "p.csv"
    path.write_text("\n".join([header, *lines]) + "\n")
    return probabilities.read(path)


def match(table, *names, copies=None):
    return probabilities.match(
        table,
        filenames=np.array(names),
        copies=np.array(copies or [0] * len(names)),
        data_classes=CLASSES,
    )


def test_columns_and_rows_are_brought_into_the_order_of_the_data(tmp_path):
    table = table_of(tmp_path, "b,0.1,0.2,0.7", "a/x.jpg,0,1,0", "c.jpg,1,0,0")
    probs, num_unused = match(table, "a/x.jpg", "b.png")
    np.testing.assert_allclose(probs, [[1, 0, 0], [0.2, 0.7, 0.1]])
    assert num_unused == 1


def test_classes_that_the_data_lack_are_left_out_and_the_rest_sums_to_one(tmp_path):
    table = table_of(tmp_path, "a,0.2,0.1,0.1,0.6", header="id,sad,neutral,happy,contempt")
    np.testing.assert_allclose(match(table, "a.jpg")[0], [[0.25, 0.25, 0.5]])


def test_our_own_predictions_are_such_a_file(tmp_path):
    header = "filename,copy,label,predicted,p_neutral,p_happy,p_sad,valence,predicted_valence"
    header += ",group_colour"
    table = table_of(
        tmp_path,
        "'=a.jpg,0,sad,sad,0,0,1,nan,0.1,gray",
        "'=a.jpg,1,sad,happy,0,1,0,nan,0.2,",
        header=header,
    )
    probs, _ = match(table, "=a.jpg", "=a.jpg", copies=[1, 0])
    np.testing.assert_allclose(probs, [[0, 1, 0], [0, 0, 1]])


def test_repeats_of_an_image_share_a_row_without_their_number(tmp_path):
    probs, num_unused = match(table_of(tmp_path, "a,0,0,1"), "a.jpg", "a.jpg", copies=[0, 1])
    np.testing.assert_allclose(probs, [[0, 1, 0], [0, 1, 0]])
    assert num_unused == 0


def test_rounded_probabilities_are_scaled_to_sum_to_one(tmp_path):
    probs, _ = match(table_of(tmp_path, "a,0.33,0.33,0.33"), "a.jpg")
    np.testing.assert_allclose(probs, [[1 / 3] * 3])


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (["a,0.5,0.5,0.5"], "row 1: probabilities must sum to one: got 1.5"),
        (["a,0,0,1", "b,-0.1,0.6,0.5"], "row 2: a probability must be a number from 0 to 1: got"),
        (["a,0,0,much"], "row 1: a probability must be a number: got 'much'"),
        (["a,0,0,nan"], "row 1: a probability must be a number: got 'nan'"),
        (["a,0,1"], "row 1 has 3 of 4 columns"),
        ([], "it must have a header and rows"),
        (['"a,0,1'], "it must have a header and rows|row 1 has 1 of 4|unexpected end of data"),
    ],
)
def test_a_damaged_table_is_refused_in_one_sentence(tmp_path, lines, sentence):
    with pytest.raises(errors.UserError, match=rf"p\.csv as a table.*({sentence})"):
        table_of(tmp_path, *lines)


@pytest.mark.parametrize(
    "header", ["id,sad,sad,happy", "id,sad,p_sad,happy", "id", "id,,sad,happy"]
)
def test_columns_that_are_no_classes_named_once_are_refused(tmp_path, header):
    with pytest.raises(errors.UserError, match="its first column must be the id and the others"):
        table_of(tmp_path, "a,0,0,1", header=header)


def test_a_copy_may_have_spaces_around_it_as_other_cells_may(tmp_path):
    assert table_of(tmp_path, "a, 1 , 0, 1", header="id, copy, sad, happy").copies == (1,)


def test_a_copy_is_a_number(tmp_path):
    with pytest.raises(errors.UserError, match="row 1: copy must be a whole number from 0: got"):
        table_of(tmp_path, "a,-1,0,1", header="id,copy,sad,happy")


def test_what_is_no_text_is_refused(tmp_path):
    (tmp_path / "p.csv").write_bytes(b"PK\x03\x04")
    with pytest.raises(errors.UserError, match="is a ZIP archive, or an Excel workbook"):
        probabilities.read(tmp_path / "p.csv")


def test_missing_rows_are_refused_naming_the_first(tmp_path):
    with pytest.raises(errors.UserError, match=r"has no row of 2 of 3 examples, the first b\.jpg"):
        match(table_of(tmp_path, "a,0,0,1"), "a.jpg", "b.jpg", "c.jpg")


@pytest.mark.parametrize("again", ["a.jpg", "a"])
def test_an_id_that_is_there_twice_is_refused(tmp_path, again):
    table = table_of(tmp_path, "a,0,0,1", f"{again},0,1,0")
    with pytest.raises(errors.UserError, match="row 2 has the id of row 1, a"):
        match(table, "a.jpg")


def test_unknown_and_missing_classes_are_refused(tmp_path):
    table = table_of(tmp_path, "a,0,0,1", header="id,sad,calm,happy")
    with pytest.raises(errors.UserError, match=r"p\.csv: its columns must have .* got 'calm'"):
        probabilities.check_classes(table, data_classes=CLASSES, data="data")
    table = table_of(tmp_path, "a,0,1", header="id,sad,happy")
    with pytest.raises(errors.UserError, match="and data also has neutral"):
        probabilities.check_classes(table, data_classes=CLASSES, data="data")


@pytest.mark.parametrize(
    ("kind", "row", "sentence"),
    [
        ("probabilities", [3.0, *[0] * 7], "got 3; a model of logits has 'output_kind: logits'"),
        ("probabilities", [0.5, *[0] * 7], "must sum to one: got 0.5; a model of logits"),
        ("probabilities", [np.nan, *[0] * 7], "an output is not finite"),
        ("logits", [np.inf, *[0] * 7], "an output is not finite"),
        ("logits", [0.9, 0.1, *[0] * 6], "sums to one; a model of probabilities has 'output_kind:"),
    ],
)
def test_outputs_that_are_not_what_the_adapter_says_are_refused(write_adapter, kind, row, sentence):
    said = adapter.load(write_adapter(output_kind=kind))
    with pytest.raises(ValueError, match=sentence):
        probabilities.of_outputs(np.array([row]), adapter=said, data_classes=NAMES)


def test_logits_become_probabilities_of_all_outputs_before_some_are_left_out(write_adapter):
    said = adapter.load(write_adapter(output_kind="logits", classes=[None, "happy", "neutral"]))
    values = np.log([[0.5, 0.4, 0.1]]) + 7
    probs = probabilities.of_outputs(values, adapter=said, data_classes=["neutral", "happy"])
    np.testing.assert_allclose(probs, [[0.2, 0.8]])
