"""Answer of the demo page: its sentence, bars, scales and latency, for each number of faces."""

import html
import json
import re

import numpy as np

from affectnet_tfds import invalid_example
from trainer.demo import answer_html, timed_prediction
from trainer.inference import face_classifier, face_detector, images

NAMES = ("neutral", "happy", "sad")
IMAGE = images.from_pixels(np.zeros((90, 120, 3), np.uint8), name="a")


def a_face(*probs, box=(10.0, 20.0, 30.0, 40.0), affect=None) -> face_classifier.ClassifiedFace:
    return face_classifier.ClassifiedFace(
        image=IMAGE,
        detected=face_detector.DetectedFace(box=box),
        crop=np.zeros((8, 8, 3), np.uint8),
        probabilities=np.array(probs, np.float32),
        affect=affect,
    )


def answer_to(*faces, network_ms: float = 7.2) -> str:
    """Return the answer to a black image with these faces, with the images left out."""
    timings = face_classifier.Timings(detector_ms=41.6, network_ms=network_ms)
    prediction = timed_prediction.TimedPrediction(image=IMAGE, faces=list(faces), timings=timings)
    answer = str(answer_html.answer(prediction, names=NAMES))
    return re.sub(r"data:image/jpeg;base64,[\w+/=]+", "", answer)


def words(markup: str) -> str:
    markup = re.sub(r'<details class="json">.*?</details>', "", markup, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", markup).split())


def test_one_face_is_answered_with_a_bar_per_class_and_the_latency():
    answer = answer_to(a_face(0.1, 0.85, 0.05))
    assert words(answer) == (
        "One face: happy, 85%. Latency: detector 42 ms, network 7 ms. Image: 120 × 90 pixels. "
        "Probability of each expression neutral 10.0% happy 85.0% sad 5.0%"
    )
    assert re.findall(r"\* (0\.\d+)\)", answer) == ["0.1000", "0.8500", "0.0500"]
    assert "<strong>happy</strong>" in answer and answer.count("<strong>") == 1


def test_several_faces_are_numbered_and_each_has_its_bars():
    answer = words(answer_to(a_face(0.1, 0.85, 0.05), a_face(0.5, 0.2, 0.3)))
    assert answer.startswith("2 faces, numbered from the largest.")
    first = answer.index("Face 1: happy, 85% neutral 10.0%")
    assert first < answer.index("Face 2: neutral, 50% neutral 50.0%")


def test_the_images_say_what_they_show():
    faces = [a_face(0.1, 0.85, 0.05), a_face(0.5, 0.2, 0.3)]
    shown = [re.findall(r'alt="([^"]*)"', answer_to(*faces[:count])) for count in range(3)]
    assert shown == [
        ["The uploaded image: no face was found"],
        ["The uploaded image: one face", "Crop of face 1"],
        ["The uploaded image: 2 numbered faces", "Crop of face 1", "Crop of face 2"],
    ]


def test_an_image_without_a_face_is_answered_in_one_sentence():
    answer = words(answer_to(network_ms=0.0))
    assert answer.startswith("No face was found in this image: ") and answer.count(". ") == 2
    assert answer.endswith("Latency: detector 42 ms, network not run. Image: 120 × 90 pixels.")


def test_no_detector_is_reported_for_an_image_that_was_taken_whole():
    answer = words(answer_to(a_face(0.1, 0.85, 0.05, box=None)))
    assert answer.startswith(
        "The whole image taken as one face: happy, 85%. Latency: no detector, network 7 ms."
    )


def test_valence_and_arousal_are_shown_where_the_model_has_them():
    answer = answer_to(a_face(0.1, 0.85, 0.05, affect=(-0.5, 0.25)))
    assert words(answer).endswith(
        "valence −1 unpleasant pleasant +1 −0.50 arousal −1 calm excited +1 +0.25"
    )
    assert re.findall(r"left: ([\d.]+)%; width: ([\d.]+)%", answer) == [
        ("25.00", "25.00"),
        ("50.00", "12.50"),
    ]
    assert "valence" not in answer_to(a_face(0.1, 0.85, 0.05))


def test_the_reason_of_a_refusal_is_text_and_not_markup():
    fault = invalid_example.InvalidExample("no image", "begins with '<b>'")
    answer = str(answer_html.refused(fault))
    assert "Cannot read this image: begins with &#39;&lt;b&gt;&#39;." in answer
    assert 'role="alert"' in answer


def test_the_answer_can_be_copied_as_json():
    answer = answer_to(a_face(0.1, 0.85, 0.05, affect=(0.5, -0.25)), a_face(0.5, 0.2, 0.3))
    text = re.search(r"<pre>(.*?)</pre>", answer, flags=re.DOTALL)[1]
    first, second = json.loads(html.unescape(text))
    assert first == {
        "face": 1,
        "box": [10, 20, 30, 40],
        "confidence": 1.0,
        "expression": "happy",
        "probabilities": {"neutral": 0.1, "happy": 0.85, "sad": 0.05},
        "valence": 0.5,
        "arousal": -0.25,
    }
    assert second["face"] == 2 and "valence" not in second
    assert answer_to().count("<pre>[]</pre>") == 1


def test_what_spoke_for_the_expression_is_shown_beside_each_face_where_it_is_asked_for():
    faces = [a_face(0.1, 0.85, 0.05), a_face(0.5, 0.2, 0.3)]
    timings = face_classifier.Timings()
    pictures = [np.full((8, 8, 3), level, np.uint8) for level in (40, 200)]
    prediction = timed_prediction.TimedPrediction(
        image=IMAGE, faces=faces, timings=timings, explained=pictures
    )
    answer = str(answer_html.answer(prediction, names=NAMES))
    shown = re.findall(r'alt="(What spoke for \w+)"', answer)
    assert shown == ["What spoke for happy", "What spoke for neutral"]
    assert "Orange: what spoke for happy" in answer
    assert "Orange" not in answer_to(*faces)
