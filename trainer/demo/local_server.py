"""Local server: a socket on 127.0.0.1, and response headers that keep the page from other machines.

Owns the socket, the server and the headers of every response. Trusting the page's libraries to send
no requests elsewhere was rejected: the content security policy makes the browser refuse those of
any later version.
"""

import errno
import os
import socket
import sys
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any

from runtime import errors

if TYPE_CHECKING:  # Installed with Gradio; a port in use is refused without it.
    import uvicorn

HOST = "127.0.0.1"
NAMES = (HOST, "localhost")
"""Host names that requests may carry; any other that resolves to this machine is DNS rebinding."""

POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' blob:; "
    "worker-src 'self' blob:; font-src 'self' data:; base-uri 'self'; form-action 'self'; "
    "frame-ancestors 'none'"
)

_SHOWN = 120
"""Characters of a request, and of why it failed, that are printed."""

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]
"""ASGI 3.0."""


def forget_proxies() -> None:
    """Remove what says which proxy asks others: this program asks nobody, it only serves.

    Gradio's client reads it where it is imported, and fails at kinds that it does not know.
    """
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            del os.environ[name]


def listen(port: int) -> socket.socket:
    """Return a socket that listens on a port of 127.0.0.1, 0 for any that is free.

    Raises:
      errors.UserError: if the port is in use, or this user may not listen on it.
    """
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen()
    except OSError as error:
        listener.close()
        reason = f"port {port} is in use on {HOST}"
        if error.errno != errno.EADDRINUSE:
            reason = f"cannot listen on port {port} of {HOST} ({error.strerror})"
        raise errors.UserError(
            f"{reason}: name another with --port, or --port=0 for any that is free"
        ) from None
    return listener


def server(application: Application) -> "uvicorn.Server":
    """Return a server of the application, which believes no header about who asks."""
    import uvicorn  # As above.

    return uvicorn.Server(
        uvicorn.Config(
            application,
            log_level="warning",
            use_colors=False,
            proxy_headers=False,
            ws="none",
            timeout_graceful_shutdown=1,
        )
    )


def confined(application: Application) -> Application:
    """Return the application with POLICY in every response, which a browser may not store.

    No page of another origin may embed a response, and none learns the address from a link.
    """
    headers = [
        (b"content-security-policy", POLICY.encode()),
        (b"cache-control", b"no-store"),
        (b"cross-origin-resource-policy", b"same-origin"),
        (b"referrer-policy", b"same-origin"),
        (b"x-content-type-options", b"nosniff"),
    ]

    async def answer(scope: Message, receive: Receive, send: Send) -> None:
        async def with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [
                    (name, value)
                    for name, value in message["headers"]
                    if name.lower() != b"cache-control"
                ]
                message["headers"] = [*kept, *headers]
            await send(message)

        await application(scope, receive, with_policy)

    return answer


def contained(application: Application) -> Application:
    """Return the application whose failures end one response, and are one line on stderr.

    Gradio fails where a request names a window that it does not know, or a file of a name that is
    too long for the system; the server would print a hundred lines for each.
    """

    async def answer(scope: Message, receive: Receive, send: Send) -> None:
        sent: list[Message] = []

        async def noted(message: Message) -> None:
            sent[:] = [message]
            await send(message)

        try:
            await application(scope, receive, noted)
        except Exception as error:
            if scope["type"] != "http":
                raise
            _warn(scope, error.__cause__ or error)
            await _end(sent, send)

    return answer


def _warn(scope: Message, error: BaseException) -> None:
    asked = f"{scope['method']} {scope['path']}"
    reason = f"{type(error).__name__}: {error}"
    shown = ": ".join(ascii(text[:_SHOWN])[1:-1] for text in (asked, reason))
    print(f"warning       a request was not answered: {shown}", file=sys.stderr, flush=True)


async def _end(sent: Sequence[Message], send: Send) -> None:
    """Complete a response whose last message is known, or send one where there is none."""
    if not sent:
        headers = [(b"content-type", b"text/plain; charset=utf-8")]
        await send({"type": "http.response.start", "status": 500, "headers": headers})
        await send({"type": "http.response.body", "body": b"The page could not answer that.\n"})
    elif sent[0]["type"] == "http.response.start" or sent[0].get("more_body", False):
        await send({"type": "http.response.body", "body": b""})
