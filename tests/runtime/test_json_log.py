import json
import os

import numpy as np
import pytest

from runtime import errors, json_log


def events(path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_program_writes_its_start_its_events_and_its_end(tmp_path):
    path = tmp_path / "logs" / "log.jsonl"

    def main() -> int:
        json_log.write("epoch", epoch=1, loss=np.float32(0.5), lost=float("nan"), path=path)
        assert [each["event"] for each in events(path)] == ["start", "epoch"]  # Line by line.
        return 3

    assert json_log.recorded(main, path=str(path)) == 3
    start, epoch, end = events(path)
    assert list(epoch) == ["time", "level", "event", "epoch", "loss", "lost", "path"]
    assert (epoch["level"], epoch["loss"], epoch["lost"]) == ("info", 0.5, None)
    assert epoch["path"] == str(path) and epoch["time"].endswith("+00:00")
    assert start["command"] and (end["event"], end["exit_code"]) == ("end", 3)
    json_log.write("late")
    assert len(events(path)) == 3


@pytest.mark.parametrize(
    ("raised", "code", "message"),
    [
        (errors.UserError("no such folder"), 2, "no such folder"),
        (KeyError("x"), 1, "KeyError: 'x'"),
        (SystemExit(143), 143, None),
        (KeyboardInterrupt(), 130, None),
        (
            FileNotFoundError(2, "", "/x"),
            2,
            "cannot use /x: no such file or folder; check the path",
        ),
    ],
)
def test_what_ends_a_program_is_an_event_and_goes_on_its_way(tmp_path, raised, code, message):
    def main() -> None:
        raise raised

    with pytest.raises(type(raised)):
        json_log.recorded(main, path=str(tmp_path / "log"))
    with pytest.raises(type(raised)):
        json_log.recorded(main, path=str(tmp_path / "log"))  # Appended to.
    found = events(tmp_path / "log")
    assert found[-1]["exit_code"] == code
    assert [each["event"] for each in found].count("start") == 2
    said = [each for each in found if each["event"] == "error"]
    assert [(each["level"], each["message"]) for each in said] == [("error", message)] * (
        2 * (message is not None)
    )


def test_a_file_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(errors.UserError, match="^--log_json must name a file that can be written"):
        json_log.recorded(lambda: None, path=str(tmp_path / "file" / "log"))


def test_without_a_file_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert json_log.recorded(lambda: json_log.write("event"), path=None) is None
    assert list(tmp_path.iterdir()) == []


def test_a_pipe_is_written_to_where_a_program_reads_it_and_refused_where_none_does(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(errors.UserError, match="it is a named pipe that no program reads"):
        json_log.open_file(str(pipe))
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    json_log.recorded(lambda: 0, path=str(pipe))
    events = [json.loads(line)["event"] for line in os.read(reader, 65536).splitlines()]
    os.close(reader)
    assert events == ["start", "end"]
