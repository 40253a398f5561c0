import io

import pytest

from runtime import terminal
from runtime.terminal import Part
from tests.terminal import Terminal, rows


def parts(step: int) -> list[Part]:
    return [
        Part("epoch 1"),
        Part(f"  {terminal.bar(step / 10)}", rank=2),
        Part(f"  step {10**step}", rank=1),
        Part("  1:00 left"),
    ]


def test_the_emulation_shows_what_a_line_that_is_too_long_leaves():
    assert rows("12345678\rabc\n", columns=5) == ["12345", "abc"]
    assert rows("one\rtw\r\n", columns=5) == ["twe"]


@pytest.mark.parametrize("columns", [80, 40, 20, 10, 1])
def test_no_line_wraps_and_none_stays_but_the_last(columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    screen = Terminal()
    line = terminal.ProgressLine(to=screen)
    for step in (1, 9, 5, 2):  # Longer and shorter ones.
        line.show(parts(step), final=False)
    line.show(parts(10), final=True)
    expected = {
        80: "epoch 1  ██████████  step 10000000000  1:00 left",
        40: "epoch 1  step 10000000000  1:00 left",
        20: "epoch 1  1:00 left",
        10: "epoch 1",
        1: "e",
    }[columns]
    assert screen.rows(columns=columns) == [expected]


def test_what_is_cleared_leaves_nothing_and_what_is_closed_stays(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    screen = Terminal()
    line = terminal.ProgressLine(to=screen)
    line.show(parts(5), final=False)
    line.clear()
    line.clear()
    print("trial 1", file=screen)
    line.show([Part("half")], final=False)
    line.close()
    line.close()
    print("error", file=screen)
    assert screen.rows(columns=80) == ["trial 1", "half", "error"]


@pytest.mark.parametrize("term", ["dumb", "unknown"])
def test_a_dumb_terminal_gets_whole_lines_only(term, monkeypatch):
    monkeypatch.setenv("TERM", term)
    screen = Terminal()
    line = terminal.ProgressLine(to=screen)
    line.show(parts(1), final=False)
    line.show(parts(10), final=True)
    assert screen.getvalue() == "epoch 1  ██████████  step 10000000000  1:00 left\n"


def test_a_pipe_gets_final_lines_and_one_every_so_many_seconds():
    out = io.StringIO()
    line = terminal.ProgressLine(to=out)
    line.show([Part("part")], final=False)
    line.show([Part("whole")], final=True)
    often = terminal.ProgressLine(to=out, every_s=0.0)
    often.show([Part("again")], final=False)
    assert out.getvalue() == "whole\nagain\n"


def test_times_over_an_hour_have_hours():
    assert (terminal.clock(59.6), terminal.clock(3599), terminal.clock(3661)) == (
        "1:00",
        "59:59",
        "1:01:01",
    )


TABLE = [["split", "rows", "left out"], ["train", "414,800", "7"], ["all", "1", "12"]]
WIDE = " split     rows  left out\n train  414,800         7\n all          1        12"
NARROW = "               left\n split    rows  out\n train 414,800    7\n all         1   12"


@pytest.mark.parametrize(("columns", "text"), [(80, WIDE), (25, WIDE), (24, NARROW), (9, NARROW)])
def test_a_table_keeps_every_digit_and_its_header_is_folded_where_it_is_narrow(
    columns, text, monkeypatch
):
    monkeypatch.setenv("COLUMNS", str(columns))
    assert terminal.table(TABLE, left={"split"}, to=Terminal()) == text
    assert terminal.table(TABLE, left={"split"}, to=io.StringIO()) == WIDE
