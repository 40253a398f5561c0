"""Expression curve: lines, gaps and panels of the picture, and the CSV."""

import numpy as np

from trainer.reports import expression_curve, figures
from trainer.reports.expression_curve import Moment

NAMES = ("neutral", "happy", "sad")


def moments(*people, times=(0.0, 0.5, 1.0)):
    return [Moment(t, person, [0.5, 0.3, 0.2]) for t in times for person in people]


def picture(found):
    return expression_curve.picture(found, names=NAMES, title="Expressions in a.mp4", gap_s=1.0)


def test_a_person_has_a_panel_with_a_line_for_each_expression():
    drawing = picture(moments(1, 2))
    assert [ax.get_title(loc="left") for ax in drawing.axes] == ["person 1", "person 2"]
    lines = drawing.axes[0].lines
    assert [line.get_label() for line in lines] == list(NAMES)
    assert lines[1].get_xdata().tolist() == [0.0, 0.5, 1.0]
    assert lines[1].get_ydata().tolist() == [0.3] * 3
    looks = {(line.get_color(), line.get_linestyle()) for line in lines}
    assert len({line.get_linestyle() for line in lines}) == len(looks) == 3
    assert figures.png(drawing).startswith(b"\x89PNG")


def test_no_line_is_drawn_over_a_time_in_which_a_person_is_away():
    drawing = picture(moments(1, times=(0.0, 0.5, 4.0, 4.5)))
    values = drawing.axes[0].lines[0].get_ydata()
    assert np.isnan(values).tolist() == [False, False, True, False, False]


def test_those_seen_longest_are_shown_and_the_others_are_counted():
    found = (
        moments(*range(1, 7)) + moments(7, times=(2.0,)) + moments(8, times=(2.0, 2.5, 3.0, 3.5))
    )
    drawing = picture(found)
    shown = [ax.get_title(loc="left") for ax in drawing.axes]
    assert shown == [f"person {number}" for number in (1, 2, 3, 4, 5, 8)]
    assert drawing.get_suptitle() == "Expressions in a.mp4 (2 more in the CSV)"


def test_a_video_without_a_face_says_so():
    (ax,) = picture([]).axes
    assert ax.texts[0].get_text() == "no face was found"


def test_the_csv_has_a_row_for_each_person_and_frame():
    assert expression_curve.table(moments(2, times=(0.5,)), names=NAMES).splitlines() == [
        "time_s,person,neutral,happy,sad",
        "0.5,2,0.5,0.3,0.2",
    ]
