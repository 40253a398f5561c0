"""Fixtures: the demo page on a real server, with a classifier that finds no face."""

import importlib.util
import pathlib
import threading
import time
import types

import cv2
import numpy as np
import pytest

from trainer import app
from trainer.demo import local_server, uploads

PNG = cv2.imencode(".png", np.full((40, 60, 3), 7, np.uint8))[1].tobytes()
TOKEN = "0123456789abcdef"
GIVEN_UP_S = 0.5
"""Seconds after which this page gives up a request that stops, and removes an upload not read."""


def until(is_so, *, seconds: float = 20):
    """Return what `is_so` returns once it is true."""
    end = time.monotonic() + seconds
    while not (found := is_so()):
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)
    return found


@pytest.fixture(scope="session")
def page(tmp_path_factory):
    """A running page: its address, its folder of uploads, clients with and without token."""
    if importlib.util.find_spec("gradio") is None:
        pytest.skip("gradio is not installed (extra: app)")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", "elsewhere")  # Restored at the end.
        with uploads.folder() as folder, local_server.listen(0) as listener:
            import httpx

            server = local_server.server(
                guarded(folder, model_dir=tmp_path_factory.mktemp("run")),
            )
            thread = threading.Thread(target=lambda: server.run(sockets=[listener]))
            thread.start()
            until(lambda: server.started)
            host = f"127.0.0.1:{listener.getsockname()[1]}"
            stranger = httpx.Client(base_url=f"http://{host}", timeout=30)
            client = httpx.Client(
                base_url=f"http://{host}",
                timeout=30,
                headers={"authorization": f"Bearer {TOKEN}"},
            )
            with stranger, client:
                yield types.SimpleNamespace(
                    host=host, folder=folder, client=client, stranger=stranger
                )
            server.should_exit = True
            thread.join()


def guarded(folder: pathlib.Path, *, model_dir: pathlib.Path):
    from trainer.demo import page as page_lib

    data = types.SimpleNamespace(class_names=("neutral", "happy"), name="sample", is_drawn=True)
    settings = types.SimpleNamespace(model=types.SimpleNamespace(model="cnn"))
    classifier = types.SimpleNamespace(
        class_names=data.class_names, classify=lambda images, timings: []
    )
    received = uploads.Uploads(folder)
    run = types.SimpleNamespace(
        model_dir=model_dir, settings=settings, image_size=16, data=data, metrics=lambda: None
    )
    run.members = (run,)
    return page_lib.guarded(
        run,
        detector="none",
        answer=lambda path: app.answer(path, received=received, classifier=classifier),
        uploads=received,
        token=TOKEN,
    )


def upload(client, content: bytes = PNG) -> str:
    """Upload a file as the page does, and return its path."""
    sent = client.post("/gradio_api/upload", files={"files": ("a.png", content, "image/png")})
    assert sent.status_code == 200, sent.text
    (path,) = sent.json()
    return path


def named(path: object, **others: object) -> dict:
    """Return what the page sends for an upload."""
    return {"path": path, "meta": {"_type": "gradio.FileData"}, **others}


def join(client, data: object, *, session: str = "window", **others: object):
    """Ask for an answer, as the page does."""
    asked = {"data": data, "fn_index": 0, "session_hash": session, **others}
    return client.post("/gradio_api/queue/join", json=asked)


def answers(client, *, session: str = "window") -> str:
    """Return all events of a window up to its answers."""
    return client.get("/gradio_api/queue/data", params={"session_hash": session}).text
