"""Access check of the demo page: token, host name and origin of each request, first of all.

Owns who may ask. The address that the program prints holds a token of this start, as Jupyter's
does; the browser then keeps it in a cookie, and a program sends it in a header. Trusting every
program that reaches 127.0.0.1 was rejected: other users of the machine, and pages of any other
local port, reach it too.
"""

import re
import secrets
import urllib.parse

from starlette import datastructures, requests, responses

from trainer.demo import local_server
from trainer.demo.local_server import Application, Message, Receive, Send

_HOST = re.compile(
    rf"({'|'.join(map(re.escape, local_server.NAMES))})(:[0-9]{{1,5}})?", flags=re.IGNORECASE
)
_PASSED_ON = {
    b"accept",
    b"accept-encoding",
    b"accept-language",
    b"content-length",
    b"content-type",
    b"host",
    b"user-agent",
}
"""Headers that Gradio gets. It would believe X-Forwarded-Host and others of a proxy: there is none.
"""

_NO_TOKEN = (
    "This page is opened by the whole address that the program printed, "
    "with its ?token=...: the request has none, or that of another start.\n"
)
_NO_HOST = "This page answers on 127.0.0.1 and localhost only, not by another host name.\n"
_FOREIGN = "This page answers its own requests only, not those of another page.\n"


def new_token() -> str:
    """Return a token for one start of the program."""
    return secrets.token_hex(24)


def guarded(application: Application, *, token: str) -> Application:
    """Return the application behind the check of each request.

    A request needs the token: `?token=`, the cookie that an answer to that sets, or the header
    "Authorization: Bearer" (or "token", as Jupyter's). One that names another host is answered
    with 400, one without the token or of another page with 403.
    """

    async def answer(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await application(scope, receive, send)
        elif scope["type"] == "http":
            request = requests.HTTPConnection(scope)
            response = _refusal(request, token=token)
            if response:
                await response(scope, receive, send)
            elif "token" in request.query_params:
                cookie = f"{_cookie_name(request)}={token}; Path=/; HttpOnly; SameSite=Strict"
                await application(_passed_on(request), receive, _with_cookie(cookie, send))
            else:
                await application(_passed_on(request), receive, send)
        else:  # The page has no WebSocket.
            await send({"type": "websocket.close", "code": 1008})

    return answer


def _refusal(request: requests.HTTPConnection, *, token: str) -> responses.PlainTextResponse | None:
    hosts = request.headers.getlist("host")
    if len(hosts) != 1 or not _HOST.fullmatch(hosts[0]):
        return responses.PlainTextResponse(_NO_HOST, status_code=400)
    if _is_foreign(request.headers):
        return responses.PlainTextResponse(_FOREIGN, status_code=403)
    if not any(_is_equal(given, token) for given in _given_tokens(request)):
        return responses.PlainTextResponse(_NO_TOKEN, status_code=403)
    return None


def _is_foreign(headers: datastructures.Headers) -> bool:
    """Tell whether a browser sends this for another page: of another site, or of another port."""
    own = f"http://{headers['host']}".lower()
    if any(origin.lower() != own for origin in headers.getlist("origin")):
        return True
    is_link = headers.get("sec-fetch-mode") == "navigate"
    return headers.get("sec-fetch-site", "none") not in ("none", "same-origin") and not is_link


def _given_tokens(request: requests.HTTPConnection) -> list[str]:
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    return [
        *request.query_params.getlist("token"),
        request.cookies.get(_cookie_name(request), ""),
        credentials.strip() if scheme.lower() in ("bearer", "token") else "",
    ]


def _is_equal(given: str, token: str) -> bool:
    """Compare in a time that says nothing about where they differ."""
    return secrets.compare_digest(given.encode(), token.encode())


def _cookie_name(request: requests.HTTPConnection) -> str:
    """Return a name with the port: browsers send a cookie to every port of a host."""
    return f"affectnet_faces_{request.scope['server'][1]}"


def _passed_on(request: requests.HTTPConnection) -> Message:
    """Return the scope without the token, and with the headers of `_PASSED_ON` alone."""
    query = [item for item in request.query_params.multi_items() if item[0] != "token"]
    return {
        **request.scope,
        "query_string": urllib.parse.urlencode(query).encode(),
        "headers": [item for item in request.scope["headers"] if item[0].lower() in _PASSED_ON],
    }


def _with_cookie(cookie: str, send: Send) -> Send:
    async def with_cookie(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], (b"set-cookie", cookie.encode())]
        await send(message)

    return with_cookie
