"""JSON log: the events of a program in a file, one JSON object a line, for log collectors.

Owns the file of --log_json and the form of a line: `time` (UTC, ISO 8601), `level` (info, warning
or error), `event`, and the event's fields; docs/training.md lists the events. As with Python's
logging, the file belongs to the process, so that any module can write to it, and `write` does
nothing where none was opened. Python's own logging was rejected: its records are text, which
collectors would have to parse again.
"""

import contextlib
import dataclasses
import datetime
import errno
import json
import math
import os
import pathlib
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, TextIO, TypeVar

from runtime import errors, fields, program, signals

_Result = TypeVar("_Result")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Log(fields.Checked):
    """Log of a program; runtime/flags.py gives every program this flag."""

    log_json: str | None = fields.field(
        None,
        "file to append the program's events to, one JSON object a line, for log collectors",
        default_text="none",
        changes_result=False,
        path="file",
    )


SECTIONS: dict[str, type] = {"Log": Log}
"""The flags that every program has besides its own."""


_file: TextIO | None = None


def open_file(path: str | None) -> None:
    """Open the file that events are appended to; None: no events are written.

    Raises:
      errors.UserError: if it cannot be written.
    """
    global _file
    close()
    if not path:
        return
    try:
        target = pathlib.Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        # A line is written as it ends.
        _file = open(target, "a", encoding="utf-8", buffering=1, opener=_opened)  # noqa: SIM115
    except OSError as error:
        is_unread = error.errno == errno.ENXIO
        reason = "it is a named pipe that no program reads" if is_unread else error.strerror
        raise errors.UserError(
            f"--log_json must name a file that can be written: got {path} ({reason})"
        ) from None


def _opened(path: str, flags: int) -> int:
    """Open a file without waiting: a named pipe that nothing reads is refused by the system.

    Pipes are allowed here, since /dev/stderr is one in a container.
    """
    descriptor = os.open(path, flags | os.O_NONBLOCK, 0o666)
    os.set_blocking(descriptor, True)
    return descriptor


def is_open() -> bool:
    """Return whether events are written."""
    return _file is not None


def write(event: str, *, level: str = "info", **content: Any) -> None:
    """Append an event, if there is a file; numbers that are not finite become null."""
    if _file is None:
        return
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds")
    line = {"time": now, "level": level, "event": event, **content}
    try:
        _file.write(json.dumps(_plain(line)) + "\n")
    except OSError as error:
        # The log must not end what it reports on.
        print(f"warning       --log_json ends here ({error.strerror})", file=sys.stderr)
        close()


def recorded(main: Callable[[], _Result], *, path: str | None) -> _Result:
    """Call a program's main function and write its start, its error, if any, and its end.

    Args:
      main: whose exceptions go on their way; a whole number that it returns is its exit code.
      path: of the file; None: nothing is written.

    Raises:
      errors.UserError: if the file cannot be written.
    """
    open_file(path)
    started_s = time.monotonic()

    def write_end(exit_code: int) -> None:
        write("end", exit_code=exit_code, seconds=round(time.monotonic() - started_s, 3))
        close()

    write("start", command=[pathlib.Path(sys.executable).name, *sys.orig_argv[1:]])
    exit_code: Any = 1
    signals.before_end.append(write_end)
    try:
        result = main()
        exit_code = result if isinstance(result, int) else 0
        return result
    except SystemExit as end:
        exit_code = end.code or 0
        raise
    except KeyboardInterrupt:
        exit_code = 130
        raise
    except Exception as error:
        refusal = program.refusal_for(error)
        exit_code = refusal.exit_code if refusal else 1
        message = str(refusal or f"{type(error).__name__}: {error}")
        write("error", level="error", message=message)
        raise
    finally:
        signals.before_end.remove(write_end)
        write_end(exit_code)


def close() -> None:
    """Close the file, if there is one."""
    global _file
    if _file is not None:
        with contextlib.suppress(OSError):
            _file.close()
    _file = None


def _plain(value: Any) -> Any:
    """Return a value as JSON has it."""
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if hasattr(value, "item"):  # A number of NumPy's.
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)
