import pytest

from runtime import errors
from trainer.run import history

ROWS = [{"epoch": 1.0, "loss": 0.1 + 0.2}, {"epoch": 2.0, "loss": 1e-30}]


def test_rows_come_back_as_they_were(tmp_path):
    history.write_csv(ROWS, path=tmp_path / "history.csv")
    assert history.read_csv(tmp_path / "history.csv") == ROWS


def test_a_run_that_an_earlier_release_began_has_empty_cells_in_its_newer_columns(tmp_path):
    rows = [{"epoch": 1.0, "loss": 0.5}, {"epoch": 2.0, "loss": 0.25, "gradient_norm": 3.0}]
    history.write_csv(rows, path=tmp_path / "history.csv")
    text = (tmp_path / "history.csv").read_bytes().decode()
    assert text == "epoch,loss,gradient_norm\r\n1.0,0.5,\r\n2.0,0.25,3.0\r\n"
    assert history.read_csv(tmp_path / "history.csv") == rows


@pytest.mark.parametrize("prepare", [lambda path: None, lambda path: path.touch()])
def test_without_a_file_or_content_there_is_no_history(tmp_path, prepare):
    prepare(tmp_path / "history.csv")
    assert history.read_csv(tmp_path / "history.csv") == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"epoch,loss\r\n1,0.3\r\n2,0.", "its last line is truncated"),
        (b"epoch,loss\r\n1\r\n", "row 1 has no number for loss: got 'nothing'"),
        (b"epoch,loss\r\n1,2\r\n2,x\r\n", "row 2 has no number for loss: got 'x'"),
        (b"epoch,loss\r\n1,2,3\r\n", "row 1 has no number for a further column: got ['3']"),
        (b"epoch,lo", "its last line is truncated"),
        (b"\xff\n\xff\n", "'utf-8' codec can't decode byte 0xff in position 0"),
    ],
)
def test_a_damaged_file_is_one_sentence_with_the_way_out(tmp_path, content, reason):
    path = tmp_path / "history.csv"
    path.write_bytes(content)
    with pytest.raises(errors.UserError) as no:
        history.read_csv(path)
    assert str(no.value).startswith(f"cannot read {path} ({reason}")
    assert str(no.value).endswith("); the same trainer.main command again writes it anew")
