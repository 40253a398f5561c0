"""Routes of the demo page, on a real server: only uploads of this run are read, and each once."""

import base64
import concurrent.futures
import json
import re
import socket
import time

import pytest

from tests.trainer.demo import conftest
from tests.trainer.demo.conftest import answers, join, named, until, upload

routes = pytest.importorskip("trainer.demo.routes", reason="gradio is not installed (extra: app)")
pytestmark = pytest.mark.slow
SECRET = b"root:not-to-be-read"
NO_FACE = "No face was found in this image"


@pytest.fixture
def secret(tmp_path):
    """A file that was not uploaded: an image, which the page could show."""
    path = tmp_path / "secret.png"
    path.write_bytes(conftest.PNG + SECRET)
    return path


def in_folder(page) -> set:
    return {path for path in page.folder.rglob("*") if not path.is_dir()}


def test_an_upload_is_answered_and_gone(page):
    path = upload(page.client)
    assert page.client.get(f"/gradio_api/file={path}").content == conftest.PNG
    assert join(page.client, [named(path)], session="answered").status_code == 200
    assert NO_FACE in answers(page.client, session="answered")
    assert in_folder(page) == set()
    assert join(page.client, [named(path)]).status_code == 403
    assert page.client.get(f"/gradio_api/file={path}").status_code == 403


DATA = {
    "path": lambda path, sent: [named(path)],
    "without meta": lambda path, sent: [{"path": path}],
    "other meta": lambda path, sent: [{"path": path, "meta": {"_type": "gradio.Other"}}],
    "file://": lambda path, sent: [named(f"file://{path}")],
    "url": lambda path, sent: [named(None, url=f"file://{path}")],
    "url of an upload": lambda path, sent: [named(path, url=f"/gradio_api/file={sent}")],
    "no path": lambda path, sent: [{"url": path, "meta": {"_type": "gradio.FileData"}}],
    "up from an upload": lambda path, sent: [named(f"{sent}/../../../../../../../..{path}")],
    "folder of uploads": lambda path, sent: [named(sent.rpartition("/")[0])],
    "nested": lambda path, sent: [[named(path)]],
    "nested path": lambda path, sent: [named(named(path))],
    "nested beside": lambda path, sent: [named("", others=[named(path)])],
    "value": lambda path, sent: [{"value": named(path)}],
    "image": lambda path, sent: [{"image": named(path)}],
    "two": lambda path, sent: [named(sent), named(path)],
    "words": lambda path, sent: [path],
    "base64": lambda path, sent: [
        named("data:image/png;base64," + base64.b64encode(conftest.PNG).decode())
    ],
    "http": lambda path, sent: [named("http://127.0.0.1:9/a.png")],
    "number": lambda path, sent: [named(7)],
    "no list": lambda path, sent: named(path),
    "nothing": lambda path, sent: None,
}


def test_a_file_that_was_not_uploaded_is_refused_before_gradio_reads_it(page, secret):
    sent = upload(page.client)
    before = in_folder(page)
    for way, data in DATA.items():
        refused = join(page.client, data(str(secret), sent), session="refused")
        assert refused.status_code == 403, way
        assert refused.text == (
            "Only an image that was uploaded through this page in this run can be classified.\n"
        )
        assert in_folder(page) == before, way
    assert join(page.client, [named(sent)], session="after").status_code == 200
    assert NO_FACE in answers(page.client, session="after")


def test_a_link_in_the_folder_of_uploads_is_refused(page, secret):
    link = page.folder / "link.png"
    link.symlink_to(secret)
    assert join(page.client, [named(str(link))]).status_code == 403
    assert page.client.get(f"/gradio_api/file={link}").status_code == 403
    assert page.client.head(f"/gradio_api/file={link}").status_code == 403
    link.unlink()


def test_of_a_request_for_an_upload_gradio_gets_nothing_but_its_path(page, secret):
    others = {
        "url": f"http://127.0.0.1:9/{secret}",
        "orig_name": str(secret),
        "is_stream": True,
        "others": [named(str(secret))],
    }
    asked = join(
        page.client,
        [named(upload(page.client), **others)],
        session="rewritten",
        event_data=named(str(secret)),
        trigger_id=10**30,
        batched=True,
        simple_format=True,
        oauth_token="token",
    )
    assert asked.status_code == 200
    answered = answers(page.client, session="rewritten")
    assert NO_FACE in answered and "secret" not in answered
    assert in_folder(page) == set()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello",
        b"[]",
        b"\xff\xfe",
        b"[" * 60_000,
        b'{"data": ' + b"9" * 5_000 + b"}",
        b'{"data": [null], "session_hash": "../a"}',
        b'{"data": [null], "session_hash": "s", "fn_index": 1}',
    ],
    ids=lambda body: body[:50],
)
def test_a_body_that_is_no_request_of_the_page_is_refused(page, body):
    refused = page.client.post("/gradio_api/queue/join", content=body)
    assert refused.status_code == 400 and refused.text.count("\n") == 1


def test_no_other_route_of_gradio_is_answered(page, secret):
    """Those of the installed version, all of them."""
    import gradio
    from gradio import routes as gradio_routes

    inner = gradio_routes.App.create_app(gradio.Blocks(analytics_enabled=False))
    tried, needed = 0, 0
    for route in routes_of(inner):
        for method in sorted(getattr(route, "methods", None) or ()):
            tried += 1
            path = re.sub(r"\{[^}]*\}", lambda _: str(secret), route.path)
            if routes._refusal(method, path) is None:
                needed += 1
                continue
            body = {"data": [named(str(secret))], "session_hash": "s", "fn_index": 0}
            answer = page.client.request(method, path, json=body)
            assert answer.status_code in (404, 405), (method, path)
            assert SECRET not in answer.content
    assert tried > 80 and 10 < needed < 30
    for path in ("run/predict", "api/predict", "call/predict", "call/v2/predict", "stream/e"):
        answer = page.client.post(f"/gradio_api/{path}", json={"data": [named(str(secret))]})
        assert (answer.status_code, answer.text) == (404, "This page has no such address.\n")
    for method in ("GET", "HEAD"):
        answer = page.client.request(method, f"/gradio_api/file={secret}")
        assert answer.status_code == 403 and "content-disposition" not in answer.headers
    assert page.client.get("/gradio_api/proxy=http://127.0.0.1:9/").status_code == 404
    assert page.client.get("/assets/..%2f..%2fpackage.json").status_code == 404


def routes_of(router):
    for route in router.routes:  # FastAPI keeps those of a router that is included in that router.
        inner = getattr(route, "original_router", None)
        yield from routes_of(inner) if inner else [route]


def test_a_file_that_is_no_image_is_answered_without_a_byte_of_it(page):
    path = upload(page.client, SECRET)
    assert join(page.client, [named(path)], session="broken").status_code == 200
    answered = answers(page.client, session="broken")
    assert "Cannot read this image: not a picture." in answered
    assert "root" not in answered.replace('"root', "")


def test_the_same_image_sent_twice_at_once_is_answered_twice(page):
    def answered(session: str) -> str:
        path = upload(page.client)
        assert join(page.client, [named(path)], session=session).status_code == 200
        return answers(page.client, session=session)

    first, second = upload(page.client), upload(page.client)
    assert first != second
    for session, path in (("first", first), ("second", second)):
        assert join(page.client, [named(path)], session=session).status_code == 200
    assert all(NO_FACE in answers(page.client, session=name) for name in ("first", "second"))
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        found = list(threads.map(answered, [f"window{i}" for i in range(16)]))
    assert [NO_FACE in each for each in found] == [True] * 16
    assert in_folder(page) == set()


HEAD = (
    "POST /gradio_api/upload HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\n"
    "content-type: multipart/form-data; boundary=b\r\ncontent-length: 9000000\r\n\r\n"
    '--b\r\ncontent-disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
)


def begun_upload(page, *, size: int = 3_000_000) -> socket.socket:
    """Send the first part of an upload: more than is kept in memory."""
    host, _, port = page.host.partition(":")
    connection = socket.create_connection((host, int(port)), timeout=20)
    head = HEAD.format(host=page.host, token=conftest.TOKEN)
    connection.sendall(head.encode() + b"x" * size)
    return connection


def test_an_upload_that_is_cut_off_leaves_nothing(page, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    connections = [begun_upload(page) for _ in range(24)]
    for connection in connections:
        connection.close()
    until(lambda: in_folder(page) == set())
    assert list(tmp_path.iterdir()) == []
    assert page.client.get("/config").status_code == 200


def test_an_upload_that_stops_is_given_up(page, monkeypatch):
    monkeypatch.setattr(routes, "IDLE_S", 0.3)
    start = time.monotonic()
    with begun_upload(page, size=100) as connection:
        answer = b""
        while b"The request stopped before its end." not in answer:
            answer += (received := connection.recv(10_000))
            assert received, answer
    assert answer.startswith(b"HTTP/1.1 408")
    assert time.monotonic() - start < 10 and in_folder(page) == set()


def test_what_is_larger_than_a_request_of_the_page_is_refused(page, monkeypatch):
    asked = {"data": [named("x" * 70_000)], "session_hash": "s", "fn_index": 0}
    refused = page.client.post("/gradio_api/queue/join", json=asked)
    assert (refused.status_code, refused.text) == (
        413,
        "The request is larger than 65,536 bytes.\n",
    )
    monkeypatch.setattr(routes, "MAX_UPLOAD_MB", 1)
    upload(page.client, b"x" * 1024**2)
    large = {"files": ("a.png", b"x" * 1_200_000)}
    refused = page.client.post("/gradio_api/upload", files=large)
    assert refused.status_code == 413 and "larger than 1 MB" in refused.text


@pytest.mark.parametrize(
    "sent",
    [
        {"files": [("files", ("a", b"x")), ("files", ("b", b"x"))]},
        {"files": [("other", ("a", b"x"))]},
        {"data": {"files": "/etc/passwd"}},
        {"content": b"x", "headers": {"content-type": "multipart/form-data"}},
        {"content": b"x", "headers": {"content-type": "multipart/form-data; boundary=b"}},
        {"json": {"files": "/etc/passwd"}},
    ],
    ids=["two files", "other name", "form", "no boundary", "no part", "JSON"],
)
def test_an_upload_is_one_file(page, sent):
    before = in_folder(page)
    assert page.client.post("/gradio_api/upload", **sent).status_code == 400
    assert in_folder(page) == before


def test_a_full_disk_is_a_sentence_and_leaves_nothing(page, monkeypatch):
    def full(source, target):
        target.write(b"begun")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("trainer.demo.uploads.shutil.copyfileobj", full)
    before = in_folder(page)
    refused = page.client.post("/gradio_api/upload", files={"files": ("a", b"x")})
    assert (refused.status_code, refused.text) == (
        507,
        "The upload cannot be stored: No space left on device.\n",
    )
    assert in_folder(page) == before
    monkeypatch.undo()
    assert json.dumps(upload(page.client))
