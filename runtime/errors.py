"""Errors that the user can correct, and the exit codes of all programs.

Owns the exception that carries the sentence, the sentences about files that the system refuses, and
the table of exit codes. Plain ValueErrors were rejected as the carrier because a program that
prints every ValueError without its traceback hides its own defects.
"""

import contextlib
import difflib
import errno
import os
import pathlib
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping

FAILED = 1
EXIT_CODE = 2
HOST_LOST = 75
READER_GONE = 141

EXIT_CODES: Mapping[int, str] = {
    0: "done",
    FAILED: "ended, but something is wrong: a file that predict cannot read, a problem that verify "
    "found, a doubt of doctor, a store that does not answer; with a traceback, a defect of the "
    "program",
    EXIT_CODE: "refused: flags, input, installation or disk do not allow it; stderr says why",
    HOST_LOST: "a host of several was lost; the same command on all hosts continues the run",
    130: "stopped by Ctrl-C (128 + SIGINT); the same command continues a build, run or sweep",
    READER_GONE: "whatever read the output closed it, as head does (128 + SIGPIPE)",
    143: "stopped by SIGTERM (128 + 15); the same command continues a build, run or sweep",
}
"""Exit code of a program to its meaning; 75 is EX_TEMPFAIL of sysexits.h: try again."""

_WHEN_BACK = "when the disk or share is back, the same command continues"
_SYSTEM_REASONS: Mapping[int, str] = {
    errno.EACCES: "permission denied; change its permissions, or name another place",
    errno.EPERM: "operation not permitted; change its permissions, or name another place",
    errno.ENOENT: "no such file or folder; check the path",
    errno.ENOTDIR: "a part of this path is a file, not a folder; name another place",
    errno.EISDIR: "it is a folder, not a file; name a file",
    errno.EEXIST: "a file of this name is in the way; remove it, or name another place",
    errno.ENAMETOOLONG: "the name is too long; name another place",
    errno.ELOOP: "its symbolic links form a circle; mend them, or name another place",
    errno.ENOSPC: "no space left on the device; free some, and give the same command again",
    errno.EDQUOT: "disk quota exceeded; free some space, and give the same command again",
    errno.EROFS: "the file system is read-only; name another place",
    errno.EFBIG: "the file is larger than the file system, or ulimit -f, allows; raise the limit, "
    "or name another place",
    errno.EMFILE: "too many open files; raise ulimit -n, and give the same command again",
    errno.ENFILE: "the machine has too many open files; end programs that have them",
    errno.EIO: f"input/output error; {_WHEN_BACK}",
    errno.ESTALE: f"stale file handle; {_WHEN_BACK}",
    errno.ENOTCONN: f"the file system is not connected any more; {_WHEN_BACK}",
    errno.ETIMEDOUT: f"the file system does not answer; {_WHEN_BACK}",
    errno.ENODEV: f"no such device; {_WHEN_BACK}",
    errno.EHOSTDOWN: f"the host of the share is down; {_WHEN_BACK}",
    errno.EHOSTUNREACH: f"the host of the share cannot be reached; {_WHEN_BACK}",
}
"""What the system says of a file that a person can change, and the way out."""

_FULL = (errno.ENOSPC, errno.EDQUOT)
_OF_WRITING = (*_FULL, errno.EROFS, errno.EFBIG)
_ONLY_OF_FILES = (errno.EIO, errno.ESTALE)
"""Numbers of a failing disk that no socket has, so that they are told without a path, too."""

_OF_ONE_FILE = (
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EACCES,
    errno.EPERM,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.EINVAL,
    errno.EILSEQ,
    errno.ENXIO,
    errno.EFBIG,
    errno.EOVERFLOW,
    errno.ENOTSUP,
)
"""What the system says of one path; any other error says something of the disk or the machine."""

OUT_OF_MEMORY = (
    "memory ran out; end other programs, or ask for less at a time (a smaller --num_workers or "
    "--batch_size), and give the same command again"
)
"""What a program says where Python's MemoryError ended it."""

_NEXT_ERROR = re.compile(r"another exception occurred:|direct cause of the following exception:")
_IN_A_TRACEBACK = re.compile(r"\b\w*Error: \[Errno (\d+)\] [^:\n]+(?:: (['\"])([^\n]+?)\2)?")
"""How Python prints an OSError, as Beam passes it on from a worker."""
_USER_ERROR = re.compile(r"\bUserError: ([^\n]+)")
_OF_TENSORFLOW = re.compile(r"(?:^|\s)(/[^;\n]+); ([A-Z][a-z -]+[a-z])")
"""How TensorFlow's file system writes one: /path; Permission denied."""


class UserError(Exception):
    """The input, the flags or the state of the disk do not allow what was asked for.

    The message is one sentence with the rule, the value, where it came from and the way out;
    programs print it and exit with `exit_code`. Anything else that is raised is a defect of ours
    and keeps its traceback.
    """

    exit_code = EXIT_CODE


class FullDiskError(OSError):
    """A file did not fit on its disk.

    Attributes:
      needed_bytes: size of the file, or of all that is to be written; 0: not known.
    """

    needed_bytes = 0


def is_full(error: OSError) -> bool:
    """Return whether an error says that a disk or a quota is full."""
    return error.errno in _FULL


def of_system(error: OSError) -> UserError | None:
    """Return the sentence about a file that the system refuses, or None if it is no such error."""
    path = _text(error.filename)
    reason = _SYSTEM_REASONS.get(error.errno or 0, error.strerror)
    if path and reason:
        if error.errno in _OF_WRITING:
            path = str(pathlib.Path(path).absolute())
        return UserError(f"cannot use {path}: {_with_room(reason, error, path)}")
    if error.errno in _OF_WRITING:  # Writing to an open file names none.
        return UserError(f"cannot write: {reason}")
    if error.errno in _ONLY_OF_FILES:
        return UserError(f"a disk failed: {reason}")
    text = error.strerror or ""
    if text.startswith("No usable temporary directory"):  # Of tempfile.
        return UserError(f"n{text[1:]}: free some space there, or set TMPDIR to a folder with room")
    return None


def _with_room(reason: str, error: OSError, path: str) -> str:
    """Add to the reason that a disk is full how much is needed, and how much is free."""
    if not is_full(error):
        return reason
    needed = error.needed_bytes if isinstance(error, FullDiskError) else 0
    known = [f"about {size_text(needed)} are needed"] if needed else []
    free = _free_bytes(path) if error.errno == errno.ENOSPC else None
    known += [f"{size_text(free)} are free"] if free is not None else []
    what, semicolon, way_out = reason.partition(";")
    room = f" ({', '.join(known)})" if known else ""
    return f"{what}{room}{semicolon}{way_out}"


def _free_bytes(path: str) -> int | None:
    """Return how much is free on the disk of a file that need not be there, or None."""
    with contextlib.suppress(OSError):
        folders = pathlib.Path(path).parents
        return shutil.disk_usage(next(folder for folder in folders if folder.exists())).free
    return None


def size_text(num_bytes: float) -> str:
    """Return a size in words: 512 B, 12 kB, 3.4 GB."""
    for unit in ("B", "kB", "MB"):
        if num_bytes < 1000:
            return f"{num_bytes:.0f} {unit}"
        num_bytes /= 1000
    return f"{num_bytes:.1f} GB"


@contextlib.contextmanager
def naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Add a path to an OSError of the block that names none, as reading an open file raises it."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def is_of_one_file(error: OSError) -> bool:
    """Return whether an error says something of one file, and nothing of the disk it is on."""
    return error.errno is None or error.errno in _OF_ONE_FILE


def last_error_in(text: str) -> str:
    """Return the last error of a chain that a traceback shows, which is the one that ended it."""
    return _NEXT_ERROR.split(text)[-1]


def system_error_in(text: str) -> OSError | None:
    """Return the OSError that a text quotes, such as a worker's traceback, or None."""
    text = last_error_in(text)
    if match := _IN_A_TRACEBACK.search(text):
        number = int(match[1])
        return OSError(number, os.strerror(number), match[3])
    by_text = {os.strerror(number): number for number in _SYSTEM_REASONS}
    for match in _OF_TENSORFLOW.finditer(text):
        if match[2] in by_text:
            return OSError(by_text[match[2]], match[2], match[1])
    return None


def user_error_in(text: str) -> UserError | None:
    """Return the UserError that TensorFlow quotes for one of its input threads, or None."""
    match = _USER_ERROR.search(last_error_in(text))
    return UserError(match[1]) if match else None


def nearest(name: str, *, known: Iterable[str]) -> str:
    """Return the end of a sentence about an unknown name: the nearest known one, or all."""
    names = sorted(known)
    return guess(name, known=names) or f"there are: {', '.join(names)}"


def guess(name: str, *, known: Iterable[str]) -> str:
    """Return "did you mean X?" for the nearest known name, or "" if none is near."""
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {close[0]}?" if close else ""


def _text(filename: object) -> str:
    """Return the path of an OSError; "" where it names none, or a descriptor."""
    if isinstance(filename, bytes):
        return os.fsdecode(filename)
    return str(filename) if isinstance(filename, (str, os.PathLike)) else ""
