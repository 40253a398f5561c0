"""Charts and pages: positions of ticks and marks, legends, sections."""

import math
import re

import pytest

from webpage import charts, colours, page, scales


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0, 140, [0, 50, 100]),
        (-1.05, 1.05, [-1, -0.5, 0, 0.5, 1]),
        (0, 0.03, [0, 0.01, 0.02, 0.03]),
        (1, 12, [5, 10]),
    ],
)
def test_ticks_are_round_numbers_inside_the_axis(low, high, expected):
    assert scales.ticks(low, high) == expected


@pytest.mark.parametrize(
    ("value", "expected"), [(0, 1), (7, 8), (132, 150), (1.0, 1.0), (1001, 1500)]
)
def test_an_axis_ends_on_a_round_number(value, expected):
    assert scales.ceiling(value) == expected


@pytest.mark.parametrize(
    ("value", "written"),
    [(0.25, "0.25"), (40, "40"), (1500, "1,500"), (20_000, "20k"), (3e6, "3M"), (-0.5, "-0.5")],
)
def test_ticks_are_written_short(value, written):
    assert scales.text(value) == written


def test_a_frame_puts_its_corners_where_the_axes_meet():
    frame = charts.Frame(x_label="x", y_label="y", x_range=(0, 10), y_range=(0, 2))
    assert (frame.x(0), frame.x(10)) == (46, 328)
    assert (
        charts.Frame(x_label="x", y_label="y", x_range=(0, 10), y_range=(0, 3000)).x(0) == 60
    )  # Room for "3,000".
    assert (frame.y(0), frame.y(2)) == (180, 10)
    assert frame.bar(0, 10, 0, 2) == '<rect x="46.0" y="10.0" width="282.0" height="170.0"></rect>'


def test_a_line_is_interrupted_where_there_is_no_number():
    frame = charts.Frame(x_label="x", y_label="y", x_range=(0, 4), y_range=(0, 1))
    points = [(0, 0.0), (1, 0.5), (2, math.nan), (3, 0.5), (4, 1.0)]
    drawn = frame.path(points)
    assert len(drawn) == 2 and not any("nan" in piece for piece in drawn)


def test_a_legend_shows_colours_and_dashes():
    drawn = charts.legend([("a", colours.BLUE, ""), ("b", colours.VERMILION, "4 3")])
    assert drawn.count("<polyline") == 2 and drawn.count('stroke-dasharray="4 3"') == 1
    assert colours.BLUE in drawn and colours.VERMILION in drawn


def test_columns_show_no_more_names_than_there_is_room_for():
    names = [f"n{i}" for i in range(20)]
    drawn = charts.columns(names, range(20), x_label="x", y_label="y", alt="columns")
    assert re.findall(r">(n\d+)<", drawn) == ["n0", "n3", "n6", "n9", "n12", "n15", "n18"]
    assert drawn.count("<rect") == 20


def test_columns_that_would_vanish_are_drawn_on_a_logarithmic_scale():
    def heights(values):
        drawn = charts.columns(["a", "b"], values, x_label="x", y_label="images", alt="columns")
        ticks = re.findall(r'text-anchor="end"[^>]*>([^<]+)<', drawn)
        return [float(each) for each in re.findall(r'height="([\d.]+)"', drawn)], ticks, drawn

    (high, low), ticks, drawn = heights([500, 1])
    # 170 units for log10(2 * 500) = 3, and so for log10(2 * 1) = 0.301.
    assert (high, low) == (170, pytest.approx(170 * 0.301 / 3, abs=0.1))
    assert ticks == ["1", "10", "100"] and "images (logarithmic)" in drawn
    assert not scales.needs_log([50, 1, 0]) and scales.needs_log([51, 1, 0])
    _, ticks, drawn = heights([50, 1])
    assert ticks == ["0", "10", "20", "30", "40", "50"] and "logarithmic" not in drawn


def test_columns_of_several_values_are_stacked_from_the_lowest():
    drawn = charts.stacked_columns(
        ["a"], [[3, 1]], fills=["red", "blue"], x_label="x", y_label="y", alt="stack", title="T"
    )
    rects = re.findall(r'<rect x="[\d.]+" y="([\d.]+)" width="[\d.]+" height="([\d.]+)"', drawn)
    assert rects == [("52.5", "127.5"), ("10.0", "42.5")]  # 0..3 and 3..4 of 0..4, in 180..10.
    assert re.findall(r'fill="(red|blue)"', drawn) == ["red", "blue"]
    assert "<figcaption>T</figcaption>" in drawn


def test_dots_of_counts_have_areas_in_proportion_to_them():
    frame = charts.Frame(x_label="x", y_label="y", x_range=(-1, 1), y_range=(-1, 1))
    drawn = frame.counts({(0.05, 0.05): 4, (-0.95, 0.15): 1})
    assert [re.search(r' r="([\d.]+)"', dot)[1] for dot in drawn] == ["6.0", "3.0"]
    assert frame.counts({}) == []


def test_a_page_lists_its_sections_and_forbids_scripts():
    text = page.page("A <b>", lead="lead", sections=[page.Section("one", "First", "body")])
    assert "<title>A &lt;b&gt;</title>" in text and '<a href="#one">First</a>' in text
    assert '<section id="one"><h2>First</h2>body</section>' in text
    assert "default-src &#39;none&#39;" in text and "<script" not in text


def test_bars_are_as_long_as_their_share():
    drawn = page.bars([("happy", [page.Bar(0.25, "5 rows", "#000000")])])
    assert "width: calc((100% - var(--room, 110px)) * 0.2500)" in drawn and "5 rows" in drawn
