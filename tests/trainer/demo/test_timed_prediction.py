"""Timed prediction: one image's faces, and what its times are of."""

import struct
import types

import cv2
import numpy as np
import PIL.ExifTags
import pytest

from affectnet_tfds import image_codec, invalid_example
from trainer.demo import timed_prediction

JPEG = cv2.imencode(".jpg", np.zeros((40, 60, 3), np.uint8))[1].tobytes()


def test_the_image_is_decoded_before_the_detector_is_timed(monkeypatch):
    order = []
    decode = image_codec.decode

    def noted_decode(content, header=None, *, scale=1.0):
        order.append(f"decode {scale:g}")
        return decode(content, header, scale=scale)

    def classify(given, *, timings):
        order.append("classify")
        timings.detector_ms += 500.0
        return [image.size for image in given]

    monkeypatch.setattr(image_codec, "decode", noted_decode)
    classifier = types.SimpleNamespace(classify=classify)
    prediction = timed_prediction.predict(JPEG, classifier=classifier)
    assert (prediction.image.size, prediction.faces) == ((60, 40), [(60, 40)])
    assert prediction.timings.detector_ms == 500.0
    assert prediction.image.pixels.shape == (40, 60, 3)
    assert order == ["decode 1", "classify"]


def test_an_orientation_that_is_no_number_is_passed_over():
    for value in (float("inf"), float("nan")):
        entry = struct.pack("<HHIf", PIL.ExifTags.Base.Orientation, 11, 1, value)  # 11 is FLOAT.
        exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 1) + entry + struct.pack("<I", 0)
        segment = b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
        classifier = types.SimpleNamespace(classify=lambda given, timings: [])
        content = JPEG[:2] + segment + JPEG[2:]
        prediction = timed_prediction.predict(content, classifier=classifier)
        assert prediction.image.size == (60, 40)


def test_what_is_no_image_is_refused():
    with pytest.raises(invalid_example.InvalidExample, match="no known picture format"):
        timed_prediction.predict(b"hello, world", classifier=types.SimpleNamespace())
