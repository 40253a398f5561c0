"""An S3 server on loopback (moto's), which writes down what it is asked and can be told to fail."""

import collections
import contextlib
import logging
import threading
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from moto.moto_server import werkzeug_app
from werkzeug import serving

from pipeline.files import object_store, storage


class Request(NamedTuple):
    """What was asked: COPY is a PUT whose content the server has already."""

    method: str
    key: str  # with the bucket; without what follows "?"


class Server:
    """A running server. `fault` says with which status it refuses a request (0: it does not)."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.fault: Callable[[Request], int] = lambda request: 0
        logging.getLogger("werkzeug").setLevel(logging.ERROR)  # It tells of every request.
        self._app = werkzeug_app.DomainDispatcherApplication(werkzeug_app.create_backend_app)
        self._server = serving.make_server("127.0.0.1", 0, self._respond, threaded=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _respond(self, environ: dict, start: Callable) -> object:
        method = "COPY" if "HTTP_X_AMZ_COPY_SOURCE" in environ else environ["REQUEST_METHOD"]
        request = Request(method, environ["PATH_INFO"].strip("/"))
        self.requests.append(request)
        if status := self.fault(request):
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            start(f"{status} refused", [("Content-Length", "0")])
            return [b""]
        return self._app(environ, start)

    def count(self, method: str = "", *, ends: str = "") -> int:
        """How many requests of a method were made, of names with an ending."""
        return sum(r.method.startswith(method) and r.key.endswith(ends) for r in self.requests)

    def by_method(self) -> dict[str, int]:
        return dict(collections.Counter(request.method for request in self.requests))

    def reset(self) -> None:
        """Start with an empty bucket, which may be written to."""
        self.fault = lambda request: 0
        for method, path in (("POST", "moto-api/reset"), ("PUT", "bucket")):
            urllib.request.urlopen(
                urllib.request.Request(f"{self.url}/{path}", method=method)
            ).close()
        self.requests.clear()

    def close(self) -> None:
        self._server.shutdown()


def upload(folder: Path, target: str) -> None:
    """Put all files of a folder into a store."""
    for file in folder.rglob("*"):
        if file.is_file():
            with file.open("rb") as content:
                object_store.parse(f"{target}/{file.relative_to(folder).as_posix()}").upload(
                    content
                )


def names(folder: str) -> list[str]:
    """Return the names of all files below a place, relative to it."""
    storage.forget_listings()
    root = object_store.parse(folder)
    return sorted(storage.relative(file, root) for file in storage.files_below(root))


@contextlib.contextmanager
def running() -> Iterator[Server]:
    """A server that this process, and those that it starts, take for S3."""
    server = Server()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_ENDPOINT_URL": server.url,
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
        }.items():
            patch.setenv(name, value)
        object_store._open.cache_clear()
        yield server
    object_store._open.cache_clear()
    server.close()
