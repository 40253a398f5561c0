"""Start and end of every program: output that never fails, refusals as sentences, exit codes.

Owns what all programs share around their own work: which errors become one sentence, what a closed
pipe and Ctrl-C mean, and how characters are printed that the terminal does not have. Handling these
in each program was rejected: some of them would always be forgotten in one.
"""

import codecs
import concurrent.futures
import contextlib
import io
import os
import select
import sys
import types
from collections.abc import Callable, Iterator
from typing import NoReturn, TypeVar

from runtime import errors, installation, signals, untrusted

_Result = TypeVar("_Result")

_REPLACEMENTS = str.maketrans(
    {"█": "#", "━": "=", "░": ".", "…": "...", "→": "->", "×": "x", "–": "-", "╸": "=", "╺": "-"}
)
_ENCODING_ERRORS = "affectnet_faces.readable"


def prepare() -> None:
    """Let output end no program: characters that it cannot encode, or that there is none (>&-)."""
    signals.open_streams()
    codecs.register_error(_ENCODING_ERRORS, _readable)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # pytest and notebooks put others in their place.
            stream.reconfigure(errors=_ENCODING_ERRORS)


def explain_failed_imports() -> None:
    """Have an import that fails, or that Ctrl-C stops, end the program with a sentence.

    For `python -m`: the modules of a program are imported before any of its lines runs.
    """
    sys.excepthook = _hook


def or_exit(call: Callable[[], _Result]) -> _Result:
    """Return what a call returns; end the program where it raises what a person can correct.

    Raises:
      SystemExit: in these cases, after the sentence was printed.
    """
    try:
        result = _called(call)
        sys.stdout.flush()  # Here: Python's own flush at exit would complain of a closed pipe.
        return result
    except SystemExit:
        _flush_or_discard()
        raise
    except KeyboardInterrupt:
        _end_with(130, "stopped by Ctrl-C")
    except errors.UserError as error:
        _end_with(error.exit_code, f"error: {error}")
    except Exception as error:
        if isinstance(error, BrokenPipeError) and _is_reader_gone():
            _end_with(errors.READER_GONE, "")
        refusal = refusal_for(error)
        if refusal is None:
            raise
        _end_with(refusal.exit_code, f"error: {refusal}")


def _called(call: Callable[[], _Result]) -> _Result:
    try:
        return call()
    except BaseException:
        signals.wait_if_ending()
        raise


@contextlib.contextmanager
def ending() -> Iterator[None]:
    """End the process where the block raises and TensorFlow is loaded, whatever its threads do.

    Python's own end waits for ever otherwise: an error in an input thread leaves others of its kind
    that wait for Python.
    """
    try:
        yield
    except BaseException as error:
        is_success = isinstance(error, SystemExit) and error.code in (0, None)
        if is_success or "tensorflow" not in sys.modules:
            raise
        code = error.code if isinstance(error, SystemExit) else errors.FAILED
        if not isinstance(error, SystemExit):
            sys.excepthook(type(error), error, error.__traceback__)
        elif not isinstance(code, int):
            print(code, file=sys.stderr)
        _flush_or_discard()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else errors.FAILED)


def refusal_for(error: BaseException) -> errors.UserError | None:
    """Return the sentence about an error that a person causes, or None: it is a defect of ours."""
    if isinstance(error, errors.UserError):
        return error
    if isinstance(error, OSError):
        refusal = errors.of_system(error)
        if refusal and is_of_stdout(error):
            text = str(refusal).replace("cannot write:", "cannot write to stdout:")
            return errors.UserError(text)
        return refusal
    if isinstance(error, MemoryError):
        return errors.UserError(errors.OUT_OF_MEMORY)
    if isinstance(error, concurrent.futures.BrokenExecutor):
        return errors.UserError(
            f"a worker process was killed, most likely as {errors.OUT_OF_MEMORY}"
        )
    if isinstance(error, ModuleNotFoundError):
        return installation.missing_module(error.name or "")
    if isinstance(error, ImportError):
        return installation.unusable_library(str(error))
    if type(error).__module__.startswith("tensorflow"):
        if refusal := errors.user_error_in(str(error)):
            return refusal
        found = errors.system_error_in(str(error))
        return errors.of_system(found) if found else None
    return None


def _hook(
    kind: type[BaseException], error: BaseException, traceback: types.TracebackType | None
) -> None:
    if isinstance(error, KeyboardInterrupt):
        _end_with(130, "stopped by Ctrl-C")
    refusal = refusal_for(error) if isinstance(error, ImportError) else None
    if refusal is None:
        sys.__excepthook__(kind, error, traceback)
        return
    _end_with(refusal.exit_code, f"error: {refusal}")


def _end_with(code: int, sentence: str) -> NoReturn:
    """Print a sentence to stderr, after what stdout still has, and exit."""
    _flush_or_discard()
    if sentence:
        with contextlib.suppress(BrokenPipeError):
            # Line by line: names that it quotes may hold what moves a cursor.
            print("\n".join(map(untrusted.printable, sentence.split("\n"))), file=sys.stderr)
    sys.exit(code)


def _flush_or_discard() -> None:
    """Write out what stdout has buffered, or discard it where it cannot be written."""
    try:
        sys.stdout.flush()
    except OSError:
        with contextlib.suppress(OSError, ValueError):  # A stream in memory has no descriptor.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def is_of_stdout(error: OSError) -> bool:
    """Return whether an error that names no file comes of stdout, which still cannot be written."""
    if error.filename is not None:
        return False
    try:
        sys.stdout.flush()
        os.write(1, b"")  # Where nothing was buffered.
    except OSError as again:
        return again.errno == error.errno
    except ValueError:  # It is closed.
        return False
    return False


def _is_reader_gone() -> bool:
    """Return whether the other end of stdout or stderr is closed; a socket's may be too."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            poll = select.poll()
            poll.register(stream.fileno(), 0)
            if poll.poll(0):
                return True
    return False


def _readable(error: UnicodeError) -> tuple[str, int]:
    """Replace characters of bars and sentences by ASCII, and others by their escapes."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    escaped = text.translate(_REPLACEMENTS).encode("ascii", "backslashreplace").decode("ascii")
    return escaped, error.end
