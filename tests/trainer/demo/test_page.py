"""Demo page as an application: its headers, its host names and its sentence about the model."""

import importlib.util
import json
import pathlib
import time

import cv2
import numpy as np
import pytest

from trainer.demo import answer_html, local_server, uploads

PNG = cv2.imencode(".png", np.zeros((40, 60, 3), np.uint8))[1].tobytes()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("gradio") is None, reason="gradio is not installed (extra: app)"
    ),
]


def test_an_upload_that_is_never_read_is_removed_and_no_other_host_name_is_answered(
    photo_run, monkeypatch
):
    from starlette import testclient

    from trainer.demo import page as page_lib

    monkeypatch.setattr(page_lib, "_KEPT_S", 1)
    monkeypatch.setenv("GRADIO_TEMP_DIR", "elsewhere")  # Restored at the end.
    with uploads.folder() as folder:
        page = local_server.confined(
            page_lib.mounted(photo_run, detector="none", answer=lambda path: answer_html.waiting())
        )
        with testclient.TestClient(page, base_url="http://127.0.0.1") as client:
            response = client.get("/")
            assert response.headers["content-security-policy"] == local_server.POLICY
            assert response.headers["cache-control"] == "no-store"
            assert "It has not been evaluated." in response.text
            assert client.get("/", headers={"host": "evil.example"}).status_code == 400
            upload = {"files": ("a.png", PNG, "image/png")}
            (path,) = map(pathlib.Path, client.post("/gradio_api/upload", files=upload).json())
            assert path.is_relative_to(folder) and path.read_bytes() == PNG
            end = time.monotonic() + 30
            while path.exists():
                assert time.monotonic() < end, "waited too long"
                time.sleep(0.05)


def test_the_page_states_the_accuracy_of_the_model(tmp_path):
    from trainer.demo import page as page_lib

    path = tmp_path / "metrics.json"
    path.write_text(
        json.dumps({"accuracy": 0.625, "num_examples": 4000, "protocol": {"split": "validation"}})
    )
    assert page_lib._accuracy(path) == (
        "Its accuracy is 62% on the 4,000 images of its validation split."
    )
