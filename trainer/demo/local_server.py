"""Local server: a socket on 127.0.0.1, and response headers that keep the page from other machines.

Owns the socket, the server and the headers of every response. Trusting the page's libraries to send
no requests elsewhere was rejected: the content security policy makes the browser refuse those of
any later version.
"""

import errno
import socket
from collections.abc import Awaitable, Callable, MutableMapping
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

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]
"""ASGI 3.0."""


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
