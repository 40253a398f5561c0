"""Adapter: what it must say, and each sentence about one that is wrong."""

import re

import pytest

from runtime import errors
from tests.trainer.arena.conftest import NAMES
from trainer.arena import adapter


def test_an_adapter_is_read_as_it_is_written(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(
        "classes: [anger, happy, null]\ncolor: bgr\nscaling: -1..1\noutput_kind: logits\n"
        "input_size: 48\nlayout: nchw\nmean: 0.5\nstd: [1, 2.5, 3]\noutput_name: 173\n"
    )
    read = adapter.load(path)
    assert read.classes == ("anger", "happy", None) and read.color == "bgr"
    assert (read.scaling, read.output_kind, read.output_name) == ("-1..1", "logits", "173")
    assert (read.input_size, read.layout, read.mean) == (48, "nchw", (0.5,))
    assert read.std == (1.0, 2.5, 3.0)
    assert read.describe() == "bgr, -1..1, mean [0.5], std [1, 2.5, 3], logits"


@pytest.mark.parametrize("key", ["mean", "std", "input_size", "layout", "output_name"])
def test_a_key_without_a_value_is_as_if_it_were_not_there(tmp_path, key):
    path = tmp_path / "a.yaml"
    text = "classes: [sad, fear]\ncolor: rgb\nscaling: 0..1\noutput_kind: logits\n"
    path.write_text(text)
    without = adapter.load(path)
    path.write_text(f"{text}{key}: null\n")
    assert adapter.load(path) == without


@pytest.mark.parametrize("scaling", ["0..255", "0..1", "-1..1", "imagenet"])
def test_yaml_does_not_take_a_scaling_for_a_number(tmp_path, scaling):
    path = tmp_path / "a.yaml"
    path.write_text(f"classes: [sad, fear]\ncolor: rgb\nscaling: {scaling}\noutput_kind: logits\n")
    assert adapter.load(path).scaling == scaling


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"colour": "rgb"}, "has an unknown key colour; did you mean color?"),
        ({"scaling": None}, "must say classes, color, scaling, output_kind: it lacks scaling"),
        ({"color": "hsv"}, "color must be one of rgb, bgr, gray: got 'hsv'"),
        ({"scaling": 173}, "scaling must be one of 0..255, 0..1, -1..1, imagenet: got 173"),
        ({"layout": "hwc"}, "layout must be one of nhwc, nchw: got 'hwc'"),
        ({"input_size": "big"}, "input_size must be a whole number: got 'big'"),
        ({"input_size": 7}, "input_size must be 8 to 4,096: got 7"),
        ({"mean": ["a"]}, "mean must be a number or several with commas: got 'a'"),
        ({"std": [0.0]}, "mean must be finite and std above 0: got [] and [0]"),
        ({"scaling": "imagenet", "mean": [1]}, "scaling imagenet has its own mean and std"),
        ({"classes": "sad"}, "classes must list the names of the outputs in their order"),
        ({"classes": [1, 2]}, "classes must list the names of the outputs in their order"),
    ],
)
def test_a_wrong_adapter_is_refused_in_one_sentence(write_adapter, changes, sentence):
    path = write_adapter(**changes)
    with pytest.raises(errors.UserError, match=re.escape(sentence)) as no:
        adapter.load(path)
    assert str(path) in str(no.value)


@pytest.mark.parametrize("text", ["- rgb\n", "rgb", "", "{", "a: *b"])
def test_what_holds_no_keys_is_refused(tmp_path, text):
    path = tmp_path / "a.yaml"
    path.write_text(text)
    with pytest.raises(errors.UserError, match=r"a\.yaml must (hold lines 'key: value'|be YAML)"):
        adapter.load(path)


@pytest.mark.parametrize(
    ("classes", "sentence"),
    [
        (["happiness", *NAMES[1:]], "got 'happiness'"),
        ([*NAMES, "happy"], "must name each class once: happy is there twice"),
        (NAMES[:7], "has 7 classes (neutral, happy, sad, surprise, fear, disgust, anger), and the"),
        ([None, *NAMES[1:]], "also has neutral"),
    ],
)
def test_classes_that_do_not_fit_the_data_are_refused(write_adapter, classes, sentence):
    read = adapter.load(write_adapter(classes=classes))
    with pytest.raises(errors.UserError, match=re.escape(sentence)):
        adapter.check_classes(read, data_classes=NAMES, data="the data")


def test_classes_that_the_data_lack_are_allowed(write_adapter):
    read = adapter.load(write_adapter(classes=[None, "contempt", *reversed(NAMES[:7]), "none"]))
    adapter.check_classes(read, data_classes=NAMES[:7], data="the data")
