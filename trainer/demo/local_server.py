"""A server that this machine alone reaches, and a page in it that reaches nothing else.

Owns the socket and what every answer tells the browser. To trust that the page's libraries ask
nobody was rejected: the policy makes the browser refuse whatever a later version of them would ask
of other machines.
"""

import socket
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from runtime import errors

HOST = "127.0.0.1"
NAMES = (HOST, "localhost")
"""What a browser may call this machine: another name that leads here is another site's trick (DNS
rebinding)."""

POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' blob:; worker-src 'self' blob:; font-src 'self' data:; "
    "base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]
"""ASGI 3.0."""


def listen(port: int) -> socket.socket:
    """Return a listening socket on a port of this machine, 0 for any that is free.

    Raises:
      errors.UserError: if the port is taken, or not for this user.
    """
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen()
    except OSError as error:
        listener.close()
        raise errors.UserError(
            f"--port={port} cannot be had on {HOST} ({error.strerror}): name another, or 0 for any that is free"
        ) from None
    return listener


def confined(application: Application) -> Application:
    """Return the application with POLICY in every answer, and with none that a browser may keep."""
    told = [(b"content-security-policy", POLICY.encode()), (b"cache-control", b"no-store")]

    async def answer(scope: Message, receive: Receive, send: Send) -> None:
        async def with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                others = [
                    (name, value)
                    for name, value in message["headers"]
                    if name.lower() != b"cache-control"
                ]
                message["headers"] = [*others, *told]
            await send(message)

        await application(scope, receive, with_policy)

    return answer
