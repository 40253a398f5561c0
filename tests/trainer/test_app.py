"""Demo program: in headless Chromium, with its server and its uploads watched; and its refusals."""

import importlib.util
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time
import types

import numpy as np
import pytest

from affectnet_tfds import labels
from runtime import errors
from tests import browser
from trainer import app

ROOT = pathlib.Path(__file__).parents[2]
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


def test_what_is_missing_is_refused_in_one_sentence(tmp_path, monkeypatch):
    def refused(missing: str = "", **flags) -> str:
        real = importlib.util.find_spec
        monkeypatch.setattr(app.flags, "given", lambda sections: flags)
        monkeypatch.setattr(
            importlib.util, "find_spec", lambda name: None if name == missing else real("json")
        )
        with pytest.raises(errors.UserError) as no:
            app.main()
        monkeypatch.undo()
        return str(no.value)

    assert re.fullmatch(r"trainer\.app needs gradio: .*pip install '.*\[app\]'", refused("gradio"))
    assert re.fullmatch(
        r"--detector=mtcnn needs mtcnn: .*pip install '.*\[predict\]', or use --detector=none",
        refused("mtcnn"),
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
    assert done.stderr.startswith("error: unknown flag --share") and done.stderr.count("\n") == 1


def until(is_so, *, seconds: float):
    """Return what `is_so` returns once it is true."""
    end = time.monotonic() + seconds
    while not (found := is_so()):
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)
    return found


@pytest.fixture(scope="module")
def page(photo_run, tmp_path_factory):
    """The running program: its address, its temporary folder, and the addresses it connected to."""
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
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": f"{root}/watch",
            "TMPDIR": f"{root}/tmp",
            "WATCHED": str(watched),
            "all_proxy": "socks5://127.0.0.1:9",  # For programs that ask others: not for this one.
        },
    )
    assert process.stdout
    lines = []
    address = None
    while not address and (line := process.stdout.readline()):
        lines.append(line)
        address = re.search(r"(http://127\.0\.0\.1:\d+)/\?token=[0-9a-f]{48}", line)
    assert address, lines
    yield types.SimpleNamespace(
        opened_by=address[0],
        address=address[1],
        tmp=root / "tmp",
        watched=watched,
        process=process,
        detector=detector,
    )
    process.kill()
    process.wait()


def give(chromium, path):
    """Drop an image on the open page, and return the answer."""
    next_answer = awaiting(chromium)
    chromium.find_element("css selector", "#image input[type=file]").send_keys(str(path))
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
    chromium.get(page.opened_by)
    until(lambda: chromium.find_elements("css selector", "#image input[type=file]"), seconds=30)


def files_in(folder: pathlib.Path) -> list[pathlib.Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.slow
@pytest.mark.parametrize("width", browser.WIDTHS)
def test_a_drawn_face_goes_in_and_the_bars_come_out(chromium, page, drawn, width):
    path, _ = drawn
    open_page(chromium, page, width=width)
    answer = give(chromium, path)
    bars = chromium.execute_script(
        "return [...document.querySelectorAll('.bars .row')].map(row => ["
        "row.querySelector('span').textContent, row.querySelector('b').textContent, "
        "row.querySelector('i').getBoundingClientRect().width])"
    )
    assert [name for name, _, _ in bars] == list(labels.class_names(8))
    probs = np.array([float(percent.rstrip("%")) for _, percent, _ in bars])
    assert probs.sum() == pytest.approx(100, abs=0.5)
    lengths = np.array([length for _, _, length in bars])
    np.testing.assert_allclose(lengths / lengths.sum(), probs / probs.sum(), atol=0.01)
    assert re.search(r"Latency: (detector [\d,]+ ms|no detector), network [\d,]+ ms", answer.text)
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
def test_without_the_token_the_page_is_not_shown(chromium, page):
    chromium.delete_all_cookies()
    chromium.get(page.address)
    shown = chromium.find_element("css selector", "body").text
    assert shown.startswith("This page is opened by the whole address that the program printed")
    open_page(chromium, page)
    chromium.get(page.address)  # The cookie opens it now.
    until(lambda: chromium.find_elements("css selector", "#image input[type=file]"), seconds=30)


@pytest.mark.slow
def test_the_watch_on_the_program_sees_what_it_would_ask(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(WATCH)
    asks = "import socket\ntry: socket.create_connection(('127.0.0.2', 9), 1)\nexcept OSError: pass"
    watched = tmp_path / "watched.txt"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "WATCHED": str(watched)}
    subprocess.run([sys.executable, "-c", asks], check=True, env=environment)
    assert "socket.connect ('127.0.0.2', 9)" in watched.read_text()


@pytest.mark.slow
def test_no_image_is_left_on_the_disk_and_a_broken_one_is_a_sentence(
    chromium, page, drawn, tmp_path
):
    (tmp_path / "broken.jpg").write_bytes(b"hello, world")
    open_page(chromium, page)
    give(chromium, drawn[0])
    assert files_in(page.tmp) == []
    assert give(chromium, tmp_path / "broken.jpg").text == (
        "Cannot read this image: not a picture."
    )
    assert files_in(page.tmp) == []


def access_camera(chromium):
    """Start Gradio's own camera."""

    def access():
        buttons = chromium.find_elements("css selector", "#image button")
        return [button for button in buttons if "Webcam" in button.text]

    until(access, seconds=10)[0].click()


@pytest.mark.slow
def test_the_image_of_the_camera_is_classified(chromium, page):
    open_page(chromium, page)
    next_answer = awaiting(chromium)
    chromium.find_element("css selector", "[aria-label='Capture from camera']").click()
    access_camera(chromium)
    until(
        lambda: chromium.execute_script(
            "return document.querySelector('#image video')?.videoWidth"
        ),
        seconds=30,
    )
    chromium.find_element("css selector", "[aria-label='capture photo']").click()
    assert "Latency: " in next_answer().text
    assert files_in(page.tmp) == []


@pytest.mark.slow
@pytest.mark.parametrize("width", browser.WIDTHS)
def test_a_sample_picture_is_classified_when_it_is_chosen(chromium, page, width):
    open_page(chromium, page, width=width)
    samples = chromium.find_elements("css selector", "[data-sample]")
    assert [each.get_attribute("title") for each in samples] == list(labels.class_names(8))
    next_answer = awaiting(chromium)
    samples[1].click()
    assert "Latency: " in next_answer().text
    until(
        lambda: chromium.execute_script(
            "return document.querySelector('#answer').getBoundingClientRect().top < innerHeight"
        ),
        seconds=5,
    )
    assert files_in(page.tmp) == []
    asked = browser.requested(chromium)
    assert [u for u in asked if not u.startswith((page.address + "/", "data:", "blob:"))] == []
    assert browser.overflowing(chromium) == []


@pytest.mark.slow
@pytest.mark.parametrize("width", browser.WIDTHS)
def test_the_live_camera_is_classified_frame_by_frame_until_it_is_stopped(chromium, page, width):
    open_page(chromium, page, width=width)
    button = chromium.find_element("id", "live-start")
    for _ in range(2):
        next_answer = awaiting(chromium)
        button.click()
        assert "Image: 640 × 480 pixels." in next_answer().text
        assert "Image: 640 × 480 pixels." in awaiting(chromium)().text  # Of the next frame.
        assert button.text == "Stop the live camera"
        video = chromium.find_element("id", "live-video")
        assert video.is_displayed() == (width > 700)
        assert not chromium.find_element("id", "image").is_displayed()
        assert browser.overflowing(chromium) == []
        button.click()
        assert button.text == "Start the live camera"
        assert chromium.execute_script(
            "return arguments[0].srcObject.getTracks().map(each => each.readyState)", video
        ) == ["ended"]
        until(lambda: files_in(page.tmp) == [], seconds=10)
    assert said_of_camera(chromium) == ""


def said_of_camera(chromium) -> str:
    """Return what the page says of the camera."""
    return chromium.find_element("id", "camera-refused").text


REFUSALS = {
    "NotAllowedError": "The browser refuses the camera to this page: allow it, at the camera "
    "symbol beside the address or in the settings of the browser or the system, and start it "
    "again.",
    "NotFoundError": "The browser finds no camera on this machine: connect one and start it again.",
    "NotReadableError": "The camera cannot be read, perhaps because another program uses it: end "
    "that one and start it again.",
    "SecurityError": "The camera could not be started: images can be dropped on the page all the "
    "same.",
    "": "This browser gives no camera to this address: it does to the one that the program "
    "printed, on 127.0.0.1.",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", REFUSALS)
def test_a_camera_that_the_browser_refuses_is_a_sentence(chromium, page, name):
    refusing = (
        f"{{getUserMedia: async () => {{ throw new DOMException('no', '{name}'); }}, "
        "enumerateDevices: async () => []}"
    )
    value = refusing if name else "undefined"
    source = f"Object.defineProperty(navigator, 'mediaDevices', {{value: {value}}});"
    added = chromium.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": source})
    try:
        open_page(chromium, page)
        assert said_of_camera(chromium) == ""
        chromium.find_element("id", "live-start").click()
        until(lambda: said_of_camera(chromium) == REFUSALS[name], seconds=10)
        assert chromium.find_element("id", "live-start").text == "Start the live camera"
        assert chromium.find_element("id", "image").is_displayed()
        if name == "NotFoundError":  # Of which Gradio itself says nothing.
            open_page(chromium, page)
            chromium.find_element("css selector", "[aria-label='Capture from camera']").click()
            access_camera(chromium)
            until(lambda: said_of_camera(chromium) == REFUSALS[name], seconds=10)
    finally:
        chromium.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)


@pytest.mark.slow
def test_the_program_ends_in_order_and_its_folder_goes_with_it(page):
    assert list(page.tmp.glob("affectnet_faces_app_*"))
    page.process.send_signal(signal.SIGTERM)
    assert page.process.wait(timeout=30) == 128 + signal.SIGTERM
    assert list(page.tmp.glob("affectnet_faces_app_*")) == []
    with socket.socket() as other:
        assert other.connect_ex(("127.0.0.1", int(page.address.rpartition(":")[2]))) != 0
