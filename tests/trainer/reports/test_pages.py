"""The page of a judgement: what it says, and in a browser that it does as it looks."""

import math
import re

import numpy as np
import pytest
import simplejpeg

from affectnet_tfds import labels as affectnet
from tests import browser
from trainer.evaluation import predictions, results
from trainer.reports import chart_sections, model_page, thumbnails

EVIL = ['1/"><img src=x onerror=alert(1)>.jpg', "1/<script>alert(2)</script>.jpg"]
HISTORY = [
    {"epoch": 1, "loss": 2.0, "accuracy": 0.2, "val_loss": 1.9, "val_accuracy": 0.3},
    {"epoch": 2, "loss": 1.0, "accuracy": 0.6, "val_loss": math.nan, "val_accuracy": 0.5},
]
PROTOCOL = {
    "model": "<b>first</b>",
    "split": "validation",
    "data": "affectnet_faces/affectnet8/1.0.0, fingerprint abc",
}


def made_of(truth, said, *, num_classes=8, names=(), confidence=0.9):
    """Predictions of `said`, each with a confidence a little below that of the one before."""
    count = len(truth)
    sure = confidence - 0.3 * np.arange(count)[:, None] / count
    probs = np.full((count, num_classes), 0.0) + (1 - sure) / (num_classes - 1)
    probs[np.arange(count), said] = sure[:, 0]
    filenames = [*names, *(f"2/{n}.jpg" for n in range(len(names), count))]
    return predictions.Predictions(
        class_names=affectnet.class_names(num_classes),
        filenames=np.array(filenames),
        copies=np.zeros(count, np.int64),
        labels=np.asarray(truth),
        probabilities=probs,
    )


def random_made(num_classes=8, *, count=400, names=EVIL):
    rng = np.random.default_rng(num_classes)
    truth = rng.integers(num_classes, size=count)
    said = np.where(rng.random(count) < 0.6, truth, rng.integers(num_classes, size=count))
    said[:2] = (truth[:2] + 1) % num_classes  # The evil names are the most confident mistakes.
    made = made_of(truth, said, num_classes=num_classes, names=names)
    values = rng.uniform(-1, 1, (2, count))
    affect = {"valence": (values[0], values[0] * 0.5), "arousal": (values[1], values[1] * -0.2)}
    return predictions.dataclasses.replace(made, affect=affect)


def render(made, *, history=HISTORY, shown=None, protocol=PROTOCOL):
    if shown is None:
        shown = {n: jpeg(n) for n in thumbnails.wanted(made).tolist()}
    return model_page.render(
        results.evaluate(made), made=made, shown=shown, history=history, protocol=protocol
    )


def jpeg(number):
    return simplejpeg.encode_jpeg(
        np.full((thumbnails.SIDE, thumbnails.SIDE, 3), number % 256, np.uint8)
    )


def test_the_page_says_the_numbers_with_their_intervals():
    text = render(made_of([0, 0, 1, 1], [0, 1, 1, 1]))
    assert re.search(
        r"accuracy</span><strong>0.750</strong><span class=\"remark\">95 %: 0.\d{3} to 1.000", text
    )
    assert '<td>neutral</td><td class="number">1.000</td><td class="number">0.500</td>' in text
    assert "M over 1 of 28 class pairs" in text
    assert "without examples, so left out of the averages: sad, surprise" in text
    assert "On 7 classes" in text and "Valence and arousal" not in text


def test_a_cell_leads_to_its_pictures_the_most_confident_first():
    truth, said = [0] * 30, [1] * 12 + [0] * 18
    made = made_of(truth, said)
    assert thumbnails.in_cell(made, truth=0, predicted=1).tolist() == list(range(12))
    text = render(made)
    assert '<a href="#cell-0-1"><b>40%</b><small>12</small></a>' in text
    panel = text[text.index('id="cell-0-1"') :]
    panel = panel[: panel.index('class="cell"', 20)] if 'class="cell"' in panel[20:] else panel
    assert "12 of 30 examples of neutral (40%); the 9 most confident pictures are shown" in panel
    assert re.findall(r"2/(\d+)\.jpg</code>", panel)[:9] == [str(n) for n in range(9)]
    assert 'href="#cell-0-2"' not in text  # Nothing is in it.


def test_the_pictures_that_are_shown_are_those_that_were_asked_for():
    made = random_made()
    wanted = thumbnails.wanted(made)
    assert len(wanted) <= 64 * thumbnails.PER_CELL + thumbnails.MISTAKES
    assert set(thumbnails.mistakes(made).tolist()) <= set(wanted.tolist())
    assert "data:image/jpeg" not in render(made, shown={})


def test_copies_of_a_picture_are_shown_once():
    made = made_of([0] * 6, [1] * 6)
    repeated = predictions.dataclasses.replace(
        made, filenames=np.array(["a", "b", "a", "b", "c", "a"])
    )
    assert thumbnails.wanted(repeated).tolist() == [0, 1, 4]
    assert thumbnails.mistakes(repeated).tolist() == [0, 1, 4]
    assert "6 of 6 examples of neutral (100%)<" in render(repeated)


def test_mistakes_are_sorted_by_confidence():
    made = made_of([0, 0, 1, 1, 2], [1, 0, 0, 1, 0])
    assert thumbnails.mistakes(made).tolist() == [0, 2, 4]
    assert "There is none: every example was predicted right." in render(
        made_of([0, 1, 2], [0, 1, 2])
    )


def test_curves_that_were_not_recorded_are_said_and_not_drawn():
    made = made_of([0, 1], [0, 1])
    assert "No history was recorded." in render(made, history=[])
    assert len(chart_sections.learning([{"loss": 1.0}, {"loss": math.inf}])) == 1
    drawn = render(made)
    assert "train, 1.000 at the end" in drawn and "validation, 1.900 at the end" in drawn


def test_classes_without_examples_have_no_roc_curve():
    assert len(chart_sections.roc(made_of([0, 0, 1], [0, 1, 1]))) == 2
    (one, _) = chart_sections.roc(made_of([0, 0, 1], [0, 0, 1]))
    assert "neutral: area 1.000" in one


def test_the_same_judgement_gives_the_same_bytes():
    assert render(random_made()) == render(random_made())


def test_a_page_without_a_single_right_answer_or_of_one_example_is_made():
    assert "0.000" in render(made_of([0, 1], [1, 0]))
    assert "no interval" in render(made_of([3], [3]))


@pytest.fixture(scope="module", params=affectnet.CLASS_COUNTS)
def page(request, tmp_path_factory):
    """A page with evil names, of 7, 8 and 11 classes."""
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(render(random_made(request.param)), encoding="utf-8")
    return path


@pytest.mark.slow
@pytest.mark.parametrize("width", browser.WIDTHS)
def test_in_a_browser_nothing_runs_overflows_or_overlaps(page, chromium, width):
    browser.show(chromium, page, width=width)
    assert browser.alarms(chromium) == []
    seen = chromium.find_element("id", "mistakes").text
    assert all(name in seen for name in EVIL)
    assert "<b>first</b>" in chromium.find_element("tag name", "h1").text
    assert browser.overflowing(chromium) == []
    assert browser.broken_words(chromium) == []
    assert browser.outside_their_drawing(chromium) == []
    assert browser.overlapping(chromium) == []


@pytest.mark.slow
def test_on_a_phone_a_matrix_of_8_classes_shows_every_column_and_no_name_is_broken(
    chromium, tmp_path
):
    path = tmp_path / "report.html"
    path.write_text(render(random_made(8)), encoding="utf-8")
    browser.show(chromium, path, width=390)
    box = chromium.find_element("css selector", ".confusion .scroll")
    assert box.get_property("scrollWidth") <= box.get_property("clientWidth")
    names = [
        one.text.split("\n")[0]
        for one in chromium.find_elements("css selector", ".confusion tbody th")
    ]
    assert names == list(affectnet.class_names(8))
    heights = [
        one.size["height"] for one in chromium.find_elements("css selector", ".confusion tbody tr")
    ]
    assert max(heights) - min(heights) <= 1


@pytest.mark.slow
@pytest.mark.parametrize("width", browser.WIDTHS)
def test_a_click_on_a_confusion_cell_shows_its_pictures(page, chromium, width):
    browser.show(chromium, page, width=width)
    assert chromium.find_element("css selector", ".hint").is_displayed()
    cells = chromium.find_elements("css selector", ".confusion td a")
    for cell in (cells[0], cells[-1]):
        anchor = cell.get_attribute("href").split("#")[1]
        panel = chromium.find_element("id", anchor)
        assert not panel.is_displayed()
        cell.click()
        assert (
            panel.is_displayed()
            and not chromium.find_element("css selector", ".hint").is_displayed()
        )
        pictures = panel.find_elements("tag name", "img")
        assert pictures and all(one.is_displayed() and one.size["width"] > 60 for one in pictures)
        assert all(
            chromium.execute_script("return arguments[0].naturalWidth", one) == 80
            for one in pictures
        )
        top = chromium.execute_script("return arguments[0].getBoundingClientRect().top", panel)
        assert 0 <= top < 900
        assert browser.overflowing(chromium) == []
    assert sum(one.is_displayed() for one in chromium.find_elements("css selector", ".cell")) == 1
