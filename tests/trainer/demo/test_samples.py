"""Sample pictures of the demo page: drawn faces, and the buttons that show them."""

import cv2
import numpy as np

from affectnet_tfds import labels
from trainer.demo import inputs_html, samples


def test_there_is_a_square_picture_of_each_expression_and_always_the_same():
    drawn = samples.draw(labels.class_names(8))
    assert [each.name for each in drawn] == list(labels.class_names(8))
    assert len({each.jpeg for each in drawn}) == 8
    for each in drawn:
        height, width, _ = cv2.imdecode(np.frombuffer(each.jpeg, np.uint8), 1).shape
        assert height == width > 100
    assert samples.draw(labels.class_names(8)) == drawn


def test_a_class_that_the_model_lacks_has_no_picture():
    assert [each.name for each in samples.draw(("happy", "neutral", "other"))] == [
        "neutral",
        "happy",
    ]


def test_the_face_is_in_the_middle_as_far_as_the_image_allows():
    pixels = np.zeros((100, 200, 3), np.uint8)
    pixels[40:60, 120:140] = 255
    crop = samples._around(pixels, box_xywh=(120, 40, 20, 20))
    assert crop.shape == (36, 36, 3)
    assert (crop[8:28, 8:28] == 255).all() and crop.sum() == 255 * 3 * 400
    corner = samples._around(pixels, box_xywh=(180, 0, 20, 10))
    assert np.shares_memory(corner, pixels[0:36, 164:200]) and corner.shape == (36, 36, 3)


def test_a_button_has_the_picture_and_its_name():
    text = str(inputs_html.sample_buttons([samples.Sample(name="happy", jpeg=b"<jpeg>")]))
    assert text.count("<button") == 1 and "data-sample" in text
    assert 'title="happy"' in text and 'src="data:image/jpeg;base64,PGpwZWc+"' in text


def test_the_script_is_in_the_page_as_it_is():
    script = inputs_html.script()
    assert script.startswith("<script>") and script.count("<script") == 1
    assert "getUserMedia" in script and "=>" in script  # Not escaped as HTML.
