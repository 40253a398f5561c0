"""Evaluation page: its contents, and its layout and links in a browser."""

import dataclasses
import math
import re

import numpy as np
import pytest
import simplejpeg

from affectnet_tfds import labels as affectnet
from tests import browser
from trainer.evaluation import predictions, results, slices
from trainer.reports import chart_sections, model_page, thumbnails
from trainer.reports.sections import file_links, model_facts, slice_charts

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


MODELS = [
    model_facts.ModelFacts(
        name="first",
        facts={
            "network": "cnn, 700,744 parameters, 48 px",
            "compute": "24.1 million multiply-adds an image, forward",
            "hardware": "<b>Some processor</b>, 2 CPU cores, 8 GB",
        },
        changed_settings={"epochs": "12", "weights": "<i>best.npz"},
        all_settings={"epochs": "12", "weights": "<i>best.npz", "seed": "0"},
    )
]
LINKS = [file_links.FileLink("metrics.json", "metrics.json", "all numbers of this page")]


def attributes_of(count):
    """Attributes of examples: values that rise, and two groups by turns."""
    heights = slices.Quantity(np.linspace(0.1, 1, count), "{:.0%}".format)
    groups = np.array(["manual", "automatic"] * count)[:count]
    return {slice_charts.FACE_SIZE: heights, slice_charts.SUBSET: groups}


def predictions_of(truth, predicted, *, num_classes=8, names=(), confidence=0.9):
    """Predictions of classes, each with a confidence a little below that of the one before."""
    count = len(truth)
    sure = confidence - 0.3 * np.arange(count)[:, None] / count
    probs = np.full((count, num_classes), 0.0) + (1 - sure) / (num_classes - 1)
    probs[np.arange(count), predicted] = sure[:, 0]
    filenames = [*names, *(f"2/{n}.jpg" for n in range(len(names), count))]
    return predictions.Predictions(
        class_names=affectnet.class_names(num_classes),
        filenames=np.array(filenames),
        copies=np.zeros(count, np.int64),
        labels=np.asarray(truth),
        probabilities=probs,
    )


def random_predictions(num_classes=8, *, count=400, names=EVIL):
    rng = np.random.default_rng(num_classes)
    truth = rng.integers(num_classes, size=count)
    predicted = np.where(rng.random(count) < 0.6, truth, rng.integers(num_classes, size=count))
    predicted[:2] = (truth[:2] + 1) % num_classes  # The evil names are the surest mistakes.
    preds = predictions_of(truth, predicted, num_classes=num_classes, names=names)
    values = rng.uniform(-1, 1, (2, count))
    affect = {"valence": (values[0], values[0] * 0.5), "arousal": (values[1], values[1] * -0.2)}
    return predictions.dataclasses.replace(preds, affect=affect)


def render(preds, *, history=HISTORY, shown=None, models=MODELS, links=LINKS):
    if shown is None:
        shown = {n: jpeg(n) for n in thumbnails.wanted(preds).tolist()}
    return model_page.render(
        results.evaluate(preds, attributes=attributes_of(len(preds.labels))),
        preds=preds,
        thumbnails_by_index=shown,
        subject=model_page.Subject(protocol=PROTOCOL, models=models, history=history, links=links),
    )


def jpeg(number):
    return simplejpeg.encode_jpeg(
        np.full((thumbnails.SIDE, thumbnails.SIDE, 3), number % 256, np.uint8)
    )


def test_the_page_has_the_numbers_with_their_intervals():
    text = render(predictions_of([0, 0, 1, 1], [0, 1, 1, 1]))
    assert re.search(
        r"accuracy</span><strong>0.750</strong><span class=\"remark\">95 %: 0.\d+ to 0.\d+", text
    )
    assert '<td>neutral</td><td class="number">1.000</td><td class="number">0.500</td>' in text
    assert "M over 1 of 28 class pairs" in text
    assert "without examples, so left out of the averages: sad, surprise" in text
    assert "On 7 classes" in text and "Valence and arousal" not in text


def test_the_page_says_what_the_model_is_before_any_number():
    text = render(predictions_of([0, 1], [0, 1]))
    summary = "cnn, 700,744 parameters, 48 px; 24.1 million multiply-adds an image, forward"
    assert text.index(f'<p class="summary">{summary}</p>') < text.index('class="tiles"')
    assert text.index('id="model"') < text.index('id="evaluation"') < text.index('id="confusion"')
    assert "<dt>hardware</dt><dd>&lt;b&gt;Some processor&lt;/b&gt;, 2 CPU cores, 8 GB</dd>" in text
    assert "<code>--epochs=12 --weights=&lt;i&gt;best.npz</code>" in text
    assert "<summary>All 3 settings that change the result</summary>" in text
    assert '<a href="metrics.json">' in text
    unknown = render(predictions_of([0, 1], [0, 1]), models=(), links=())
    assert 'id="model"' not in unknown and 'class="summary"' not in unknown


def test_each_network_of_an_ensemble_is_described():
    second = dataclasses.replace(MODELS[0], name="second", facts={"network": "vit"})
    text = render(predictions_of([0, 1], [0, 1]), models=[*MODELS, second])
    assert "2 networks, whose outputs are averaged:<ul><li>cnn, 700,744" in text
    assert "<h3>first</h3>" in text and "<h3>second</h3>" in text
    plain = dataclasses.replace(MODELS[0], changed_settings={})
    assert "none: all are the defaults" in render(predictions_of([0], [0]), models=[plain])


def test_the_page_has_the_accuracy_on_parts_of_the_split():
    text = render(predictions_of([0] * 8, [0] * 6 + [1] * 2))
    assert "<h3>face size</h3>" in text and "<h3>subset</h3>" in text
    # Of every two examples one is automatic: three of these four are right.
    assert re.search(r"<span>automatic</span>.*?<b>0\.750 \(0\.\d+ to 0\.\d+\) of 4</b>", text)
    assert "Parts of the split" not in render(predictions_of([0], [0]))


def test_the_most_frequent_confusions_lead_to_their_images():
    text = render(predictions_of([0] * 5 + [1] * 3, [1] * 3 + [0] * 5))
    listed = text[text.index('id="confusions"') : text.index('id="classes"')]
    assert re.findall(r'href="#(cell-\d-\d)"', listed) == ["cell-1-0", "cell-0-1"]
    assert 'id="cell-1-0"' in text


def test_a_cell_links_to_its_images_the_most_confident_first():
    preds = predictions_of([0] * 30, [1] * 12 + [0] * 18)
    assert thumbnails.in_cell(preds, truth=0, predicted=1).tolist() == list(range(12))
    text = render(preds)
    assert '<a href="#cell-0-1"><b>40%</b><small>12</small></a>' in text
    panel = text[text.index('id="cell-0-1"') :]
    panel = panel[: panel.index('class="cell"', 20)] if 'class="cell"' in panel[20:] else panel
    assert "12 of 30 examples of neutral (40%); the 9 most confident images are shown" in panel
    assert re.findall(r"2/(\d+)\.jpg</code>", panel)[:9] == [str(n) for n in range(9)]
    assert 'href="#cell-0-2"' not in text  # Nothing is in it.


def test_the_images_that_are_shown_are_those_that_are_read():
    preds = random_predictions()
    wanted = thumbnails.wanted(preds)
    assert len(wanted) <= 64 * thumbnails.PER_CELL + thumbnails.MISTAKES
    assert set(thumbnails.mistakes(preds).tolist()) <= set(wanted.tolist())
    assert "data:image/jpeg" not in render(preds, shown={})


def test_copies_of_an_image_are_shown_once():
    preds = predictions_of([0] * 6, [1] * 6)
    repeated = predictions.dataclasses.replace(
        preds, filenames=np.array(["a", "b", "a", "b", "c", "a"])
    )
    assert thumbnails.wanted(repeated).tolist() == [0, 1, 4]
    assert thumbnails.mistakes(repeated).tolist() == [0, 1, 4]
    assert "6 of 6 examples of neutral (100%)<" in render(repeated)


def test_mistakes_are_sorted_by_confidence():
    preds = predictions_of([0, 0, 1, 1, 2], [1, 0, 0, 1, 0])
    assert thumbnails.mistakes(preds).tolist() == [0, 2, 4]
    assert "None: every example was predicted correctly." in render(
        predictions_of([0, 1, 2], [0, 1, 2])
    )


def test_curves_that_were_not_recorded_are_named_and_not_drawn():
    preds = predictions_of([0, 1], [0, 1])
    assert "No history was recorded." in render(preds, history=[])
    assert len(chart_sections.learning_curves([{"loss": 1.0}, {"loss": math.inf}])) == 1
    drawn = render(preds)
    assert "train, 1.000 at the end" in drawn and "validation, 1.900 at the end" in drawn


def test_classes_without_examples_have_no_roc_curve():
    assert len(chart_sections.roc(predictions_of([0, 0, 1], [0, 1, 1]))) == 2
    (first, _) = chart_sections.roc(predictions_of([0, 0, 1], [0, 0, 1]))
    assert "neutral: area 1.000" in first


def test_the_same_evaluation_gives_the_same_bytes():
    assert render(random_predictions()) == render(random_predictions())


def test_a_page_without_a_correct_prediction_or_of_one_example_is_rendered():
    assert "0.000" in render(predictions_of([0, 1], [1, 0]))
    assert "no interval" in render(predictions_of([3], [3]))


@pytest.fixture(scope="module", params=affectnet.CLASS_COUNTS)
def page(request, tmp_path_factory):
    """A page with evil names, of 7, 8 and 11 classes."""
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(render(random_predictions(request.param)), encoding="utf-8")
    return path


@pytest.mark.slow
@pytest.mark.parametrize("width", browser.WIDTHS)
def test_in_a_browser_nothing_runs_overflows_or_overlaps(page, chromium, width):
    browser.show(chromium, page, width=width)
    browser.unfold(chromium)
    assert browser.alarms(chromium) == []
    mistakes = chromium.find_element("id", "mistakes").text
    assert all(name in mistakes for name in EVIL)
    assert "<b>first</b>" in chromium.find_element("tag name", "h1").text
    assert browser.overflowing(chromium) == []
    assert browser.broken_words(chromium) == []
    assert browser.outside_their_drawing(chromium) == []
    assert browser.overlapping(chromium) == []


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read_on_light_and_on_dark_paper(page, chromium, scheme):
    browser.emulate(chromium, scheme=scheme)
    browser.show(chromium, page)
    browser.unfold(chromium)
    paper = chromium.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert paper == {"light": "rgb(255, 255, 255)", "dark": "rgb(13, 17, 23)"}[scheme]
    assert browser.faint(chromium) == []
    plot = chromium.find_element("css selector", ".plot")
    assert (plot.value_of_css_property("filter") == "none") == (scheme == "light")
    browser.emulate(chromium)


@pytest.mark.slow
def test_in_print_there_is_no_navigation_and_the_paper_stays_white(page, chromium):
    browser.emulate(chromium, scheme="dark", media="print")
    browser.show(chromium, page)
    assert not chromium.find_element("css selector", "nav").is_displayed()
    paper = chromium.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert paper == "rgb(255, 255, 255)"
    assert browser.faint(chromium) == []
    browser.emulate(chromium)


@pytest.mark.slow
def test_on_a_phone_a_matrix_of_8_classes_shows_every_column_and_no_name_is_broken(
    chromium, tmp_path
):
    path = tmp_path / "report.html"
    path.write_text(render(random_predictions(8)), encoding="utf-8")
    browser.show(chromium, path, width=390)
    box = chromium.find_element("css selector", ".confusion .scroll")
    assert box.get_property("scrollWidth") <= box.get_property("clientWidth")
    names = [
        each.text.split("\n")[0]
        for each in chromium.find_elements("css selector", ".confusion tbody th")
    ]
    assert names == list(affectnet.class_names(8))
    heights = [
        each.size["height"]
        for each in chromium.find_elements("css selector", ".confusion tbody tr")
    ]
    assert max(heights) - min(heights) <= 1


@pytest.mark.slow
@pytest.mark.parametrize("width", browser.WIDTHS)
def test_a_click_on_a_confusion_cell_shows_its_images(page, chromium, width):
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
        images = panel.find_elements("tag name", "img")
        assert images and all(each.is_displayed() and each.size["width"] > 60 for each in images)
        assert all(
            chromium.execute_script("return arguments[0].naturalWidth", each) == 80
            for each in images
        )
        top = chromium.execute_script("return arguments[0].getBoundingClientRect().top", panel)
        assert 0 <= top < 900
        assert browser.overflowing(chromium) == []
    assert sum(each.is_displayed() for each in chromium.find_elements("css selector", ".cell")) == 1
