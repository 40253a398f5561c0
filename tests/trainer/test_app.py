"""The demo page: in headless Chromium, its server and its uploads watched; and its parts one by
one."""

import importlib.util
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time
import types

import cv2
import numpy as np
import pytest

from affectnet_tfds import invalid_example, labels
from runtime import errors
from tests import browser
from trainer import app
from trainer.demo import answer_html, local_server, timed_prediction, uploads
from trainer.inference import draw_boxes, face_classifier, face_detector, images

NAMES = ("neutral", "happy", "sad")
ROOT = pathlib.Path(__file__).parents[2]
PNG = cv2.imencode(".png", np.zeros((40, 60, 3), np.uint8))[1].tobytes()
WATCH = """
import os, sys

def note(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        address = arguments[1] if event in ("socket.connect", "socket.sendto") else arguments[0]
        with open(os.environ["WATCHED"], "a") as file:
            print(event, address, file=file)

sys.addaudithook(note)
note("socket.connect", (None, "watching"))
"""
needs_gradio = pytest.mark.skipif(
    importlib.util.find_spec("gradio") is None, reason="gradio is not installed (extra: app)"
)


def a_face(*probs, box=(10.0, 20.0, 30.0, 40.0), affect=None) -> face_classifier.ClassifiedFace:
    cut = types.SimpleNamespace(face=np.zeros((8, 8, 3), np.uint8))
    return face_classifier.ClassifiedFace(
        found=face_detector.DetectedFace(box=box),
        cut=cut,
        probabilities=np.array(probs, np.float32),
        affect=affect,
    )


def said(*faces, **times) -> str:
    """What the page says of a black picture with these faces, with the pictures left out."""
    shot = images.InputImage(name="a", pixels=np.zeros((90, 120, 3), np.uint8))
    looked = timed_prediction.TimedPrediction(
        shot=shot, seen=list(faces), **{"detector_ms": 41.6, "network_ms": 7.2, **times}
    )
    return re.sub(
        r"data:image/jpeg;base64,[\w+/=]+", "", str(answer_html.answer(looked, names=NAMES))
    )


def words(markup: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", markup).split())


def test_one_face_is_answered_with_a_bar_a_class_and_the_latency():
    made = said(a_face(0.1, 0.85, 0.05))
    assert words(made) == (
        "One face: happy, 85%. Latency: detector 42 ms, network 7 ms. Picture: 120 × 90 pixels. "
        "Probability of each expression neutral 10.0% happy 85.0% sad 5.0%"
    )
    assert re.findall(r"\* (0\.\d+)\)", made) == ["0.1000", "0.8500", "0.0500"]
    assert "<strong>happy</strong>" in made and made.count("<strong>") == 1


def test_several_faces_are_numbered_in_the_picture_and_each_has_its_bars():
    two = [a_face(0.1, 0.85, 0.05), a_face(0.5, 0.2, 0.3)]
    made = words(said(*two))
    assert made.startswith("2 faces, numbered from the largest.")
    assert made.index("Face 1: happy, 85% neutral 10.0%") < made.index(
        "Face 2: neutral, 50% neutral 50.0%"
    )
    assert draw_boxes.labels(two, names=NAMES) == ["1 happy 85%", "2 neutral 50%"]
    assert draw_boxes.labels(two[:1], names=NAMES) == ["happy 85%"]


def test_a_picture_without_a_face_says_so_in_one_sentence():
    made = words(said(network_ms=0.0))
    assert made.startswith("No face was found in this picture: ") and made.count(". ") == 2
    assert made.endswith("Latency: detector 42 ms, network not asked. Picture: 120 × 90 pixels.")


def test_a_whole_picture_is_not_said_to_have_been_searched():
    made = words(said(a_face(0.1, 0.85, 0.05, box=None)))
    assert made.startswith(
        "The whole picture taken for a face: happy, 85%. Latency: no detector, network 7 ms."
    )


def test_valence_and_arousal_are_shown_where_the_model_has_them():
    made = said(a_face(0.1, 0.85, 0.05, affect=(-0.5, 0.25)))
    assert words(made).endswith(
        "valence −1 unpleasant pleasant +1 −0.50 arousal −1 calm excited +1 +0.25"
    )
    assert re.findall(r"left: ([\d.]+)%; width: ([\d.]+)%", made) == [
        ("25.00", "25.00"),
        ("50.00", "12.50"),
    ]
    assert "valence" not in said(a_face(0.1, 0.85, 0.05))


def test_what_cannot_be_read_is_text_and_nothing_more():
    made = str(
        answer_html.refused(invalid_example.InvalidExample("no picture", "begins with '<b>'"))
    )
    assert (
        "This picture cannot be read: begins with &#39;&lt;b&gt;&#39;." in made
        and 'role="alert"' in made
    )


def test_detector_and_network_are_timed_apart(monkeypatch):
    clock = [100.0]

    def taking(seconds: float, give):
        clock[0] += seconds
        return give

    monkeypatch.setattr(timed_prediction.time, "perf_counter", lambda: clock[0])
    face = face_detector.DetectedFace(box=None)
    reader = types.SimpleNamespace(
        cut=lambda shot, found: taking(0.25, [(face, None)] * len(found)),
        judge=lambda cuts: taking(0.0625, [a_face(1.0)] * len(cuts)),
    )
    looked = timed_prediction.predict(
        PNG, reader=reader, detect=lambda pixels: taking(0.5, [face, face])
    )
    assert (looked.detector_ms, looked.network_ms, len(looked.seen)) == (500.0, 62.5, 2)


def upload(folder, content: bytes = b"bytes") -> pathlib.Path:
    path = folder / "0f3a" / "a.jpg"
    path.parent.mkdir()
    path.write_bytes(content)
    return path


def test_an_upload_is_gone_once_it_is_read(tmp_path):
    path = upload(tmp_path)
    assert uploads.take(str(path), folder=tmp_path) == b"bytes"
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(
        invalid_example.InvalidExample, match="not here any more; give it once again"
    ):
        uploads.take(str(path), folder=tmp_path)


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "{folder}/0f3a/../../secret/b.jpg", "{folder}/0f3a", "{folder}/link/b.jpg"],
)
def test_what_is_no_upload_is_neither_read_nor_removed(path, tmp_path):
    folder, secret = tmp_path / "uploads", tmp_path / "secret"
    folder.mkdir()
    secret.mkdir()
    (secret / "b.jpg").write_bytes(b"secret")
    (folder / "link").symlink_to(secret)
    kept = upload(folder)
    with pytest.raises(invalid_example.InvalidExample, match="did not come through this page"):
        uploads.take(path.format(folder=folder), folder=folder)
    assert kept.exists() and (secret / "b.jpg").exists()


def test_the_folder_of_uploads_is_its_users_alone_and_goes(monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", "elsewhere")
    with uploads.folder() as folder:
        assert os.environ["GRADIO_TEMP_DIR"] == str(folder)
        assert folder.stat().st_mode & 0o777 == 0o700
        upload(folder)
    assert not folder.exists()


def test_the_server_listens_on_this_machine_only_and_says_when_a_port_is_taken():
    with local_server.listen(0) as listener:
        host, port = listener.getsockname()
        assert host == "127.0.0.1" and port > 0
        with pytest.raises(
            errors.UserError,
            match=rf"--port={port} cannot be had on 127.0.0.1 \(Address already in use\)",
        ):
            local_server.listen(port)


def test_what_is_missing_is_said_in_one_sentence(tmp_path, monkeypatch):
    def refused(missing: str = "", **flags) -> str:
        real = importlib.util.find_spec
        monkeypatch.setattr(app.commandline, "given", lambda sections: flags)
        monkeypatch.setattr(
            app.importlib.util, "find_spec", lambda name: None if name == missing else real("json")
        )
        with pytest.raises(errors.UserError) as no:
            app.main()
        monkeypatch.undo()
        return str(no.value)

    assert refused("gradio") == "trainer.app needs gradio: pip install 'affectnet-faces[app]'"
    assert refused("mtcnn").startswith(
        "--detector=mtcnn needs mtcnn: pip install 'affectnet-faces[predict]'"
    )
    assert refused("mtcnn", detector="none", model_dir=str(tmp_path)).startswith(
        f"{tmp_path} holds no trained model"
    )
    assert refused(port=70000) == "--port must be between 0 and 65535: got 70000"


def test_there_is_no_flag_that_shows_the_page_to_others():
    done = subprocess.run(
        [sys.executable, "-m", "trainer.app", "--share"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == errors.EXIT_CODE
    assert (
        done.stderr.startswith("error: there is no flag --share") and done.stderr.count("\n") == 1
    )


@needs_gradio
@pytest.mark.slow
def test_an_upload_that_nobody_asks_about_goes_too_and_no_other_name_of_this_machine_is_heard(
    photo_run, monkeypatch
):
    from starlette import testclient

    from trainer.demo import page as page_lib

    monkeypatch.setattr(page_lib, "_KEPT_S", 1)
    monkeypatch.setenv("GRADIO_TEMP_DIR", "elsewhere")  # Set back at the end.
    with uploads.folder() as folder:
        page = local_server.confined(
            page_lib.mounted(photo_run, detector="none", answer=lambda path: answer_html.waiting())
        )
        with testclient.TestClient(page, base_url="http://127.0.0.1") as client:
            answer = client.get("/")
            assert answer.headers["content-security-policy"] == local_server.POLICY
            assert answer.headers["cache-control"] == "no-store"
            assert "It has not been judged." in answer.text
            assert client.get("/", headers={"host": "evil.example"}).status_code == 400
            (path,) = client.post(
                "/gradio_api/upload", files={"files": ("a.png", PNG, "image/png")}
            ).json()
            assert (
                pathlib.Path(path).is_relative_to(folder) and pathlib.Path(path).read_bytes() == PNG
            )
            until(lambda: not pathlib.Path(path).exists(), seconds=30)


@needs_gradio
@pytest.mark.slow
def test_the_page_says_how_well_the_model_was_judged(tmp_path):
    from trainer.demo import page as page_lib

    path = tmp_path / "metrics.json"
    path.write_text(
        json.dumps({"accuracy": 0.625, "num_examples": 4000, "protocol": {"split": "validation"}})
    )
    assert (
        page_lib._judged(path) == "It got 62% of the 4,000 pictures of its validation split right."
    )


def until(is_so, *, seconds: float):
    """Return what `is_so` returns once it is true."""
    end = time.monotonic() + seconds
    while not (found := is_so()):
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)
    return found


@pytest.fixture(scope="module")
def page(photo_run, tmp_path_factory):
    """The program, with mtcnn where there is one: its address, its temporary folder, and where it
    connected."""
    if importlib.util.find_spec("gradio") is None:
        pytest.skip("gradio is not installed (extra: app)")
    root = tmp_path_factory.mktemp("page")
    (root / "watch").mkdir()
    (root / "watch/sitecustomize.py").write_text(WATCH)
    (root / "tmp").mkdir()
    watched = root / "watched.txt"
    watched.touch()
    detector = "none" if importlib.util.find_spec("mtcnn") is None else "mtcnn"
    flags = f"--model_dir={photo_run.model_dir}", f"--detector={detector}", "--port=0"
    process = subprocess.Popen(
        [sys.executable, "-m", "trainer.app", *flags],
        stdout=subprocess.PIPE, text=True, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{root}/watch", "TMPDIR": f"{root}/tmp", "WATCHED": str(watched)},
    )  # fmt: skip
    assert process.stdout
    line = process.stdout.readline()
    address = re.search(r"http://127\.0\.0\.1:\d+", line)
    assert address, line
    yield types.SimpleNamespace(
        address=address[0], tmp=root / "tmp", watched=watched, process=process, detector=detector
    )
    process.kill()
    process.wait()


def give(chromium, path):
    """Drop a picture on the page that is open, and return the answer."""
    next_answer = awaiting(chromium)
    chromium.find_element("css selector", "#picture input[type=file]").send_keys(str(path))
    return next_answer()


def awaiting(chromium):
    """Return a function that waits for another answer than the one that is shown now."""
    chromium.execute_script("document.querySelector('.answer').dataset.old = 'yes'")
    return lambda: until(
        lambda: chromium.find_elements("css selector", ".answer:not([data-old])"), seconds=60
    )[0]


def open_page(chromium, page, *, width: int = 1280):
    browser.requested(chromium)
    browser.resize(chromium, width=width)
    chromium.get(page.address)
    until(lambda: chromium.find_elements("css selector", "#picture input[type=file]"), seconds=30)


def files_in(folder: pathlib.Path) -> list[pathlib.Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.slow
@pytest.mark.parametrize("width", browser.WIDTHS)
def test_a_drawn_face_goes_in_and_the_bars_come_out(chromium, page, drawn, width):
    path, _ = drawn
    open_page(chromium, page, width=width)
    answer = give(chromium, path)
    bars = chromium.execute_script(
        "return [...document.querySelectorAll('.bars .row')].map(row => [row.querySelector('span').textContent, "
        "row.querySelector('b').textContent, row.querySelector('i').getBoundingClientRect().width])"
    )
    assert [name for name, _, _ in bars] == list(labels.class_names(8))
    probs = np.array([float(percent.rstrip("%")) for _, percent, _ in bars])
    assert probs.sum() == pytest.approx(100, abs=0.5)
    lengths = np.array([length for _, _, length in bars])
    np.testing.assert_allclose(lengths / lengths.sum(), probs / probs.sum(), atol=0.01)
    assert re.search(r"Latency: (detector \d+ ms|no detector), network \d+ ms", answer.text)
    assert ("One face: " in answer.text) == (page.detector == "mtcnn")
    assert re.search(r"valence[^+−]*−1 unpleasant\s*pleasant \+1\s*[+−]\d\.\d\d", answer.text), (
        answer.text
    )
    photo = chromium.find_element("css selector", "#answer .photo")
    assert (
        chromium.execute_script("return arguments[0].complete && arguments[0].naturalWidth", photo)
        > 100
    )
    assert browser.overflowing(chromium) == []
    assert "Gradio" not in chromium.find_element("tag name", "body").text


@pytest.mark.slow
def test_the_page_asks_nobody_but_this_machine_and_neither_does_the_program(chromium, page, drawn):
    open_page(chromium, page)
    give(chromium, drawn[0])
    asked = browser.requested(chromium)
    assert any("/gradio_api/upload" in url for url in asked)
    assert [
        url for url in asked if not url.startswith((page.address + "/", "data:", "blob:"))
    ] == []
    connected = page.watched.read_text().splitlines()
    assert connected[0] == "socket.connect watching"
    assert [line for line in connected[1:] if "'127.0.0.1'" not in line] == []


@pytest.mark.slow
def test_the_watch_on_the_program_sees_what_it_would_ask(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(WATCH)
    asks = "import socket\ntry: socket.create_connection(('127.0.0.2', 9), 1)\nexcept OSError: pass"
    watched = tmp_path / "watched.txt"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "WATCHED": str(watched)}
    subprocess.run([sys.executable, "-c", asks], check=True, env=environment)
    assert "socket.connect ('127.0.0.2', 9)" in watched.read_text()


@pytest.mark.slow
def test_no_picture_is_left_on_the_disk_and_a_broken_one_is_a_sentence(
    chromium, page, drawn, tmp_path
):
    (tmp_path / "broken.jpg").write_bytes(b"hello, world")
    open_page(chromium, page)
    give(chromium, drawn[0])
    assert files_in(page.tmp) == []
    assert give(chromium, tmp_path / "broken.jpg").text == (
        "This picture cannot be read: no known picture format: begins with 'hello, world'."
    )
    assert files_in(page.tmp) == []


@pytest.mark.slow
def test_the_cameras_picture_is_looked_at(chromium, page):
    open_page(chromium, page)
    next_answer = awaiting(chromium)
    chromium.find_element("css selector", "[aria-label='Capture from camera']").click()

    def access():
        buttons = chromium.find_elements("css selector", "#picture button")
        return [button for button in buttons if "Webcam" in button.text]

    until(access, seconds=10)[0].click()
    until(
        lambda: chromium.execute_script(
            "return document.querySelector('#picture video')?.videoWidth"
        ),
        seconds=30,
    )
    chromium.find_element("css selector", "[aria-label='capture photo']").click()
    assert "Latency: " in next_answer().text
    assert files_in(page.tmp) == []


@pytest.mark.slow
def test_the_program_ends_in_order_and_its_folder_goes_with_it(page):
    assert list(page.tmp.glob("affectnet_faces_app_*"))
    page.process.send_signal(signal.SIGTERM)
    assert page.process.wait(timeout=30) == 128 + signal.SIGTERM
    assert list(page.tmp.glob("affectnet_faces_app_*")) == []
    with socket.socket() as other:
        assert other.connect_ex(("127.0.0.1", int(page.address.rpartition(":")[2]))) != 0
