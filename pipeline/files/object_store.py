"""Object store paths (s3://, gs://, abfs://, hdfs://) with the part of pathlib that the job uses.

Stores are reached with pyarrow, which Beam brings to every worker already. What was rejected, with
the processor time of one GET of 60 kB from a server on loopback: fsspec with s3fs (15 more
packages, 7 ms), Beam's own S3 files (a new client for every file, 200 ms), obstore (one package, no
~/.aws profiles, 0.6 ms); pyarrow takes 1.8 ms and no package.
"""

import concurrent.futures
import contextlib
import dataclasses
import fnmatch
import functools
import io
import os
import shutil
import urllib.parse
from collections.abc import Iterable, Iterator
from typing import IO, Any, NamedTuple

from pyarrow import fs

from runtime import errors

SCHEMES = ("s3", "gs", "abfs", "abfss", "hdfs")

ATTEMPTS = 10
"""Attempts at a request before it fails: server errors and timeouts pass, and waits double."""

THREADS = 32
"""Files read at a time: a GET waits tens of milliseconds for the network."""

READ_BYTES = 1 << 20
WRITE_BYTES = 8 << 20


class Unreachable(errors.UserError):
    """A store did not answer, so that it is not known whether a file is there.

    It is no OSError: code that takes an OSError for a missing or damaged file must not catch it.
    """

    exit_code = errors.FAILED  # Nothing was refused: the same command may succeed later.


class Stat(NamedTuple):
    """Size and time of a file in a store, under the names that os.stat_result has for them."""

    st_size: int
    st_mtime: float = 0.0  # Of its last change, in seconds since 1970; 0: not known.


class Entry(NamedTuple):
    """A file or a folder in a folder, with the interface of os.DirEntry."""

    name: str
    num_bytes: int  # -1: a folder

    def is_dir(self) -> bool:
        return self.num_bytes < 0

    def stat(self) -> Stat:
        return Stat(self.num_bytes)


@dataclasses.dataclass(frozen=True, order=True)
class RemotePath:
    """A file or a folder in a store; its methods do what pathlib.Path's of the same names do."""

    store: str  # s3://bucket
    key: str  # a/b.jpg; empty for the store itself

    def __str__(self) -> str:
        return f"{self.store}/{self.key}".rstrip("/")

    def __truediv__(self, name: object) -> "RemotePath":
        parts = [part for part in f"{self.key}/{name}".split("/") if part not in ("", ".")]
        return RemotePath(self.store, "/".join(parts))

    @property
    def name(self) -> str:
        return self.key.rpartition("/")[2]

    @property
    def suffix(self) -> str:
        stem, dot, kind = self.name.rpartition(".")
        return dot + kind if stem and kind else ""

    @property
    def parent(self) -> "RemotePath":
        return RemotePath(self.store, self.key.rpartition("/")[0])

    def with_name(self, name: str) -> "RemotePath":
        return self.parent / name

    def with_suffix(self, suffix: str) -> "RemotePath":
        return self.parent / (self.name.removesuffix(self.suffix) + suffix)

    def absolute(self) -> "RemotePath":
        return self

    def exists(self) -> bool:
        return self._info().type != fs.FileType.NotFound

    def is_file(self) -> bool:
        return self._info().type == fs.FileType.File

    def is_dir(self) -> bool:
        return self._info().type == fs.FileType.Directory

    def stat(self) -> Stat:
        info = self._info()
        if info.type != fs.FileType.File:
            raise FileNotFoundError(str(self))
        return Stat(info.size, info.mtime.timestamp() if info.mtime else 0.0)

    def iterdir(self) -> Iterator["RemotePath"]:
        return (self / entry.name for entry in entries(self))

    def glob(self, pattern: str) -> Iterator["RemotePath"]:
        first, _, rest = pattern.partition("/")
        try:
            found = [child for child in self.iterdir() if fnmatch.fnmatchcase(child.name, first)]
        except FileNotFoundError:
            return
        for child in found:
            yield from child.glob(rest) if rest else [child]

    def open(self, mode: str = "r", **text: Any) -> IO[Any]:
        """Open for reading, with an encoding and so on where it is text."""
        with _asking(self):
            binary = io.BufferedReader(_reached(self).open_input_file(_full(self)), READ_BYTES)
        return binary if "b" in mode else io.TextIOWrapper(binary, **text)

    def read_bytes(self) -> bytes:
        with _asking(self), _reached(self).open_input_file(_full(self)) as file:
            return file.read()

    def read_text(self, encoding: str = "utf-8") -> str:
        return self.read_bytes().decode(encoding)

    def write_text(self, text: str, encoding: str = "utf-8") -> None:
        self.upload(io.BytesIO(text.encode(encoding)))

    def upload(self, file: IO[bytes]) -> None:
        """Upload a file; it appears as a whole, when all of it has arrived."""
        with _asking(self), _reached(self).open_output_stream(_full(self)) as out:
            shutil.copyfileobj(file, out, WRITE_BYTES)

    def copy_to(self, target: "RemotePath") -> None:
        """Copy a file inside the store, without downloading it."""
        with _asking(self):
            _reached(self).copy_file(_full(self), _full(target))

    def mkdir(self, **_: bool) -> None:
        """Do nothing: a store has no folders, only names with slashes in them."""

    def unlink(self, *, missing_ok: bool = False) -> None:
        try:
            with _asking(self):
                _reached(self).delete_file(_full(self))
        except FileNotFoundError:
            if not missing_ok:
                raise

    def remove_tree(self) -> None:
        """Remove all files below this name."""
        with _asking(self), contextlib.suppress(FileNotFoundError):
            _reached(self).delete_dir(_full(self))

    def _info(self) -> fs.FileInfo:
        with _asking(self):
            return _reached(self).get_file_info(_full(self))


def parse(url: str) -> RemotePath:
    """Return the path that a URL names.

    Raises:
      errors.UserError: if it names no bucket, or a store of an unknown kind.
    """
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in SCHEMES or not parts.netloc:
        known = ", ".join(f"{scheme}://" for scheme in SCHEMES)
        raise errors.UserError(
            f"a location must be a path, or a URL with one of {known} and a bucket: got {url}"
        )
    return (
        RemotePath(f"{parts.scheme}://{parts.netloc}", "")
        / url.split("://", 1)[1].partition("/")[2]
    )


def entries(folder: RemotePath) -> list[Entry]:
    """List a folder: one request for a thousand names."""
    with _asking(folder):
        found = _reached(folder).get_file_info(fs.FileSelector(_full(folder)))
    return [
        Entry(info.base_name, -1 if info.type == fs.FileType.Directory else info.size)
        for info in found
    ]


@functools.lru_cache(maxsize=4096)
def remembered(folder: RemotePath) -> list[Entry]:
    """List a folder of the input, with one request however often it is called."""
    return entries(folder)


def each(pairs: Iterable[tuple[RemotePath, RemotePath]]) -> None:
    """Copy many files within a store."""
    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda pair: pair[0].copy_to(pair[1]), pairs))


@contextlib.contextmanager
def _asking(path: RemotePath) -> Iterator[None]:
    """Raise Unreachable in place of any OSError but FileNotFoundError."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        reason = " ".join(str(error).split())
        raise Unreachable(
            f"cannot read or write {path}: {reason}; nothing is lost, the same command continues"
        ) from error


def _full(path: RemotePath) -> str:
    """Return a path as pyarrow's file systems take it: with the bucket, without the scheme."""
    return f"{_open(path.store)[1]}/{path.key}".rstrip("/")


def _reached(path: RemotePath) -> fs.FileSystem:
    return _open(path.store)[0]


@functools.cache
def _open(store: str) -> tuple[fs.FileSystem, str]:
    """Return a store's file system, with retries, and the prefix of all paths in it.

    Raises:
      errors.UserError: if pyarrow was built without it.
    """
    try:
        found, base = fs.FileSystem.from_uri(store)
    except NotImplementedError as error:
        raise errors.UserError(
            f"this pyarrow cannot reach {store}: {error}; install the one from PyPI"
        ) from error
    if isinstance(found, fs.S3FileSystem):
        found = _s3(found.region)
    return found, base.rstrip("/")


def _s3(region: str) -> fs.S3FileSystem:
    """Return S3 in a region, or the server that AWS_ENDPOINT_URL names, as for AWS tools."""
    endpoint = urllib.parse.urlsplit(
        os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
    )
    return fs.S3FileSystem(
        region=region,
        scheme=endpoint.scheme or None,
        endpoint_override=endpoint.netloc or None,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=ATTEMPTS),
        allow_delayed_open=True,  # A small file is then one request.
    )
