"""Routes of the demo page: the few of Gradio's that it needs, and its own for uploads.

Owns what reaches Gradio. Its routes that the page does not use are not answered, and of a request
to classify an image Gradio gets no more than the path of an upload of this run, in a body that is
written anew. Leaving the check to Gradio was rejected: it copies any file that a request names
before our code is called, and checks paths only in an application that its own launch() started.
"""

import asyncio
import json
import re
from typing import Any

import fastapi
from starlette import datastructures, exceptions, requests, responses

from affectnet_tfds import invalid_example
from trainer.demo import uploads as uploads_lib
from trainer.demo.local_server import Application, Message, Receive, Send

MAX_UPLOAD_MB = 50
_MAX_BODY = 64 * 1024
"""Bytes of a request that is no upload, and of what surrounds the file in one."""
IDLE_S = 60.0
"""Seconds without a byte after which a request that is not complete is given up."""

_API = "/gradio_api"
_UPLOAD, _JOIN = f"{_API}/upload", f"{_API}/queue/join"
_READ = re.compile(
    r"/|/config/?|/theme\.css|/favicon\.ico|/manifest\.json|/(assets|static|svelte)/.+|"
    rf"{_API}/(info/?|startup-events|theme\.css|queue/data|heartbeat/\w+|file=.+)"
)
_WRITTEN = {_UPLOAD, _JOIN, f"{_API}/cancel", f"{_API}/reset", f"{_API}/reset/"}
_FUNCTION = 0
"""Gradio's number of the page's only function."""


def add(app: fastapi.FastAPI, *, uploads: uploads_lib.Uploads) -> None:
    """Add the routes of uploads, which go before Gradio's of the same names."""

    @app.post(_UPLOAD)
    async def upload(request: fastapi.Request) -> responses.Response:
        try:
            async with request.form(max_files=1, max_fields=1) as form:
                file = form.get("files")
                if not isinstance(file, datastructures.UploadFile):
                    return _sentence(400, "An upload is one file, named files.")
                return responses.JSONResponse([uploads.add(file.file)])
        except requests.ClientDisconnect:  # Its file had no name, and is gone.
            return _sentence(400, "The upload was cut off.")
        except OSError as error:
            return _sentence(507, f"The upload cannot be stored: {error.strerror}.")

    @app.api_route(_API + "/file={path:path}", methods=["GET", "HEAD"])
    def file(path: str) -> responses.Response:
        try:
            content = uploads.read(path)
        except invalid_example.InvalidExample:
            return _sentence(403, "Only an upload that waits for its answer is shown.")
        return responses.Response(content, media_type="application/octet-stream")


def restricted(application: Application, *, uploads: uploads_lib.Uploads) -> Application:
    """Return the application with the page's routes alone, and with requests of bounded size."""

    async def answer(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await application(scope, receive, send)
            return
        refusal = _refusal(scope["method"], scope["path"])
        if refusal:
            await refusal(scope, receive, send)
            return
        # The page's address and its sources have parameters of Gradio's, which would load files.
        if not scope["path"].startswith(_API):
            scope = {**scope, "query_string": b""}
        receive = _bounded(receive, at_most=_at_most(scope["path"]))
        try:
            if scope["path"] == _JOIN:
                scope, receive = await _rewritten(scope, receive, uploads=uploads)
        except exceptions.HTTPException as error:
            await _sentence(error.status_code, error.detail)(scope, receive, send)
            return
        await application(scope, receive, send)

    return answer


def _refusal(method: str, path: str) -> responses.Response | None:
    is_read = _READ.fullmatch(path) is not None and ".." not in path.split("/")
    if not is_read and path not in _WRITTEN:
        return _sentence(404, "This page has no such address.")
    if method not in (("GET", "HEAD") if is_read else ("POST",)):
        return _sentence(405, "This page does not answer that method here.")
    return None


def _at_most(path: str) -> int:
    return _MAX_BODY + (MAX_UPLOAD_MB * 1024**2 if path == _UPLOAD else 0)


def _bounded(receive: Receive, *, at_most: int) -> Receive:
    """Return `receive` for a body of so many bytes, none of which comes after a long pause.

    Raises:
      exceptions.HTTPException: from the function returned, if the body is longer, or stops.
    """
    num_bytes = 0
    is_complete = False

    async def bounded() -> Message:
        nonlocal num_bytes, is_complete
        if is_complete:  # Waits for the end of the connection.
            return await receive()
        try:
            message = await asyncio.wait_for(receive(), IDLE_S)
        except asyncio.TimeoutError:
            raise exceptions.HTTPException(408, "The request stopped before its end.") from None
        num_bytes += len(message.get("body", b""))
        if num_bytes > at_most:
            size = f"{MAX_UPLOAD_MB} MB" if at_most > _MAX_BODY else f"{at_most:,} bytes"
            raise exceptions.HTTPException(413, f"The request is larger than {size}.")
        is_complete = not message.get("more_body", False)
        return message

    return bounded


async def _rewritten(
    scope: Message, receive: Receive, *, uploads: uploads_lib.Uploads
) -> tuple[Message, Receive]:
    """Return a request to classify an upload, with a body that holds nothing else.

    Raises:
      exceptions.HTTPException: if it names anything else than an upload of this run.
    """
    content = b""
    is_complete = False
    while not is_complete:
        message = await receive()
        content += message.get("body", b"")
        is_complete = not message.get("more_body", False)
    body = json.dumps(_call(_parsed(content), uploads=uploads)).encode()
    own = {b"content-type": b"application/json", b"content-length": str(len(body)).encode()}
    others = [item for item in scope["headers"] if item[0].lower() not in own]
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def written_anew() -> Message:
        return messages.pop() if messages else await receive()

    return {**scope, "headers": [*others, *own.items()]}, written_anew


def _parsed(content: bytes) -> dict[str, Any]:
    try:
        asked = json.loads(content)
    except (ValueError, RecursionError):
        asked = None
    if not isinstance(asked, dict):
        raise exceptions.HTTPException(400, "The body must be a JSON object.")
    return asked


def _call(asked: dict[str, Any], *, uploads: uploads_lib.Uploads) -> dict[str, Any]:
    """Return the body that Gradio gets: the page's function, called for an upload or for none."""
    session = asked.get("session_hash")
    if not isinstance(session, str) or not re.fullmatch(r"[\w-]{1,64}", session, flags=re.ASCII):
        raise exceptions.HTTPException(400, "session_hash must be a word of up to 64 letters.")
    if asked.get("fn_index", _FUNCTION) != _FUNCTION:
        raise exceptions.HTTPException(400, "The page has no such function.")
    return {
        "session_hash": session,
        "fn_index": _FUNCTION,
        "data": [_upload_named(asked.get("data"), uploads=uploads)],
    }


def _upload_named(data: object, *, uploads: uploads_lib.Uploads) -> dict[str, Any] | None:
    match data:
        case [None]:  # The source was changed from file to camera.
            return None
        case [{"path": str(path)}] if path in uploads:
            return {"path": path, "meta": {"_type": "gradio.FileData"}}
    raise exceptions.HTTPException(
        403, "Only an image that was uploaded through this page in this run can be classified."
    )


def _sentence(status: int, text: str) -> responses.PlainTextResponse:
    return responses.PlainTextResponse(f"{text}\n", status_code=status)
