"""Access check of the demo page, on a real server: token, host name, origin, headers of proxies."""

import asyncio
import re

import pytest

from tests.trainer.demo import conftest
from trainer.demo import uploads

access = pytest.importorskip("trainer.demo.access", reason="gradio is not installed (extra: app)")
routes = pytest.importorskip("trainer.demo.routes", reason="gradio is not installed (extra: app)")
WRITTEN = ("upload", "queue/join", "cancel", "reset")
READ = (
    "/",
    "/config",
    "/theme.css",
    "/gradio_api/info",
    "/gradio_api/startup-events",
    "/gradio_api/queue/data?session_hash=window",
    "/gradio_api/file=/etc/passwd",
    "/assets/none.js",
    "/no_such_page",
)
pytestmark = pytest.mark.slow


def sentence(answer) -> str:
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.text.count("\n") == 1
    return answer.text


def test_without_the_token_every_route_answers_in_one_sentence(page):
    asked = [page.stranger.get(path) for path in READ]
    asked += [page.stranger.post(f"/gradio_api/{name}", content=b"x") for name in WRITTEN]
    asked += [page.stranger.get("/?token=0000"), page.stranger.head("/")]
    wrong = {"authorization": "Bearer 0000", "cookie": f"{cookie_name(page)}=0000"}
    asked += [page.stranger.get("/", headers=wrong), page.stranger.options("/", headers=wrong)]
    assert {answer.status_code for answer in asked} == {403}
    expected = "This page is opened by the whole address that the program printed"
    assert all(sentence(each).startswith(expected) for each in asked if each.content)


def cookie_name(page) -> str:
    return f"affectnet_faces_{page.host.rpartition(':')[2]}"


def test_the_address_with_the_token_opens_the_page_and_a_cookie_keeps_it_open(page):
    opened = page.stranger.get(f"/?token={conftest.TOKEN}")
    assert opened.status_code == 200 and "Facial expression classifier" in opened.text
    assert conftest.TOKEN not in opened.text
    assert opened.headers["set-cookie"] == (
        f"{cookie_name(page)}={conftest.TOKEN}; Path=/; HttpOnly; SameSite=Strict"
    )
    assert page.stranger.get("/config").status_code == 200
    page.stranger.cookies.clear()
    assert page.stranger.get("/config").status_code == 403


@pytest.mark.parametrize("scheme", ["Bearer", "token"])
def test_a_program_sends_the_token_in_a_header(page, scheme):
    headers = {"authorization": f"{scheme} {conftest.TOKEN}"}
    answer = page.stranger.get("/config", headers=headers)
    assert answer.status_code == 200 and "set-cookie" not in answer.headers


@pytest.mark.parametrize("name", WRITTEN)
@pytest.mark.parametrize(
    "foreign",
    [
        {"origin": "http://evil.example"},
        {"origin": "http://127.0.0.1:1"},
        {"origin": "https://{host}"},
        {"origin": "null"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "cors"},
    ],
    ids=lambda foreign: " ".join(foreign.values()),
)
def test_another_page_cannot_write(page, name, foreign):
    headers = {key: value.format(host=page.host) for key, value in foreign.items()}
    answer = page.client.post(f"/gradio_api/{name}", content=b"{}", headers=headers)
    assert answer.status_code == 403
    assert sentence(answer).startswith("This page answers its own requests only")
    assert "access-control-allow-origin" not in answer.headers


def test_the_page_itself_can_write_and_a_link_can_open_it(page):
    own = {"origin": f"http://{page.host}", "sec-fetch-site": "same-origin"}
    asked = {"event_id": "e", "session_hash": "s", "fn_index": 0}
    done = page.client.post("/gradio_api/cancel", json=asked, headers=own)
    assert (done.status_code, done.json()) == (200, {"success": True})
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert page.client.get("/", headers=link).status_code == 200


def test_no_other_page_may_read_or_embed_an_answer(page):
    headers = page.client.get("/config").headers
    assert headers["cross-origin-resource-policy"] == "same-origin"
    foreign = page.client.get("/config", headers={"origin": "http://127.0.0.1:1"})
    assert foreign.status_code == 403


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "[::1]", "a@localhost"])
def test_no_other_host_name_is_answered(page, host):
    answer = page.client.get("/", headers={"host": host})
    assert answer.status_code == 400
    assert sentence(answer).startswith("This page answers on 127.0.0.1 and localhost only")


def test_localhost_and_the_port_of_a_tunnel_are_answered(page):
    for host in ("localhost", "LOCALHOST:7860", "127.0.0.1:8000"):
        headers = {"host": host, "origin": f"http://{host.lower()}"}
        assert page.client.get("/config", headers=headers).status_code == 200


def test_gradio_gets_neither_token_nor_the_parameters_with_which_its_page_loads_files(tmp_path):
    seen = []

    async def gradio(scope, receive, send):
        seen.append((scope["path"], scope["query_string"], dict(scope["headers"])))

    restricted = routes.restricted(gradio, uploads=uploads.Uploads(tmp_path))
    guarded = access.guarded(restricted, token=conftest.TOKEN)
    for path in ("/", "/config", "/gradio_api/queue/data"):
        scope = {
            "type": "http",
            "method": "GET",
            "path": path,
            "server": ("127.0.0.1", 80),
            "query_string": f"deep_link=a&session_hash=s&token={conftest.TOKEN}".encode(),
            "headers": [(b"host", b"127.0.0.1"), (b"cookie", b"a=b"), (b"accept", b"*/*")],
        }
        asyncio.run(guarded(scope, None, None))
    headers = {b"host": b"127.0.0.1", b"accept": b"*/*"}
    assert seen == [
        ("/", b"", headers),
        ("/config", b"", headers),
        ("/gradio_api/queue/data", b"deep_link=a&session_hash=s", headers),
    ]


def test_headers_of_a_proxy_are_ignored(page):
    headers = {
        "x-forwarded-host": "evil.example",
        "x-forwarded-proto": "https",
        "x-forwarded-for": "192.0.2.1",
        "x-forwarded-prefix": "/evil.example",
        "x-gradio-server": "http://evil.example",
        "x-original-host": "evil.example",
        "forwarded": "host=evil.example;proto=https",
    }
    for path in ("/", "/config", "/gradio_api/info"):
        answer = page.client.get(path, headers=headers)
        assert answer.status_code == 200 and "evil.example" not in answer.text
        assert not re.search(rf"https://{re.escape(page.host)}", answer.text)
    assert page.client.get("/config", headers=headers).json()["root"] == f"http://{page.host}"
