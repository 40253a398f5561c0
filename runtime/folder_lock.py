"""Folder lock: one program at a time writes into a folder, and the next is told who does.

Owns the lock file: it names its holder (host, process, start), and the holder renews it every few
seconds. On the holder's machine the system says whether the process still runs; elsewhere a holder
is given up whose lock file stays the same for a minute of the observer's own clock. flock was
rejected: forked processes inherit it, network file systems ignore it or keep it after a host was
lost, and object stores have none. So was comparing times of two machines: their clocks differ.
"""

import contextlib
import dataclasses
import datetime
import json
import os
import pathlib
import socket
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from typing import NoReturn, Protocol

from runtime import atomic_file, errors, signals, untrusted

NAME = ".lock"
"""Name of the lock file in a folder that stays where it is."""

BEATS = 12
"""Renewals after which a holder on another machine is given up that made none of them."""

_MOST_BYTES = 10_000
_LAST_PROCESS = 2**31 - 1
_TRIES = 200
_TRY_S = 0.01
"""Seconds between two attempts at a lock that comes and goes."""

_PROC = pathlib.Path("/proc")

_held = set[str]()
"""Tokens of the locks that this process has: one that it could not remove is nobody's."""


class Place(Protocol):
    """Where a lock file is kept: on a disk (`File`) or in an object store (pipeline/files)."""

    beat_s: float
    """Seconds between two renewals."""
    settle_s: float
    """Seconds after which, of several programs that take over a lock, one is the last."""

    def create(self, content: bytes) -> bool:
        """Make the lock file; return False where there is one."""

    def read(self) -> bytes | None:
        """Return its content, or None where there is none."""

    def replace(self, content: bytes, *, dead: bytes) -> bool:
        """Put one of our own in the place of another's; return False if that one has changed."""

    def renew(self, content: bytes) -> None:
        """Change the content of our own, which has as many bytes as before."""

    def remove(self) -> None:
        """Remove our own."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Holder:
    """Who holds a lock: a process."""

    host: str
    process: int
    program: str
    started: str  # When the lock was taken.
    machine: str  # Boot and process namespace: where the process number has a meaning; "": unknown.
    process_start: str  # Start of the process by the machine's own count: numbers are used again.
    token: str

    def __str__(self) -> str:
        """Return it in words."""
        return f"{self.program} on host {self.host}, process {self.process}, since {self.started}"


@contextlib.contextmanager
def held(folder: object, place: Place, *, way_out: str) -> Iterator[None]:
    """Hold a lock within the block.

    Args:
      folder: what is locked, for the sentence.
      place: of the lock file.
      way_out: what to do instead of waiting, such as "name another folder".

    Raises:
      errors.UserError: if a program that is still running holds it.
      OSError: if the lock file cannot be written.
    """
    lock = _Lock(folder, place)
    lock.take(way_out)
    _held.add(lock.token)
    renewal = threading.Thread(target=lock.renew_until_done, name="folder_lock", daemon=True)
    renewal.start()

    def release(exit_code: int) -> None:
        lock.release()

    signals.before_end.append(release)
    try:
        yield
    finally:
        signals.before_end.remove(release)
        lock.done.set()
        renewal.join()
        _held.discard(lock.token)
        with contextlib.suppress(OSError, errors.UserError):  # Nobody minds a dead holder's lock.
            lock.release()


def held_in(folder: pathlib.Path, *, way_out: str) -> contextlib.AbstractContextManager[None]:
    """Hold the lock of a folder on a disk, as `held` does, by a file in it.

    The folder is made where it is missing, and removed again if it is empty at the end.
    """
    return held(folder, File(folder / NAME), way_out=way_out)


class File:
    """A lock file on a disk."""

    beat_s = 5.0
    settle_s = 0.2

    def __init__(self, path: pathlib.Path) -> None:
        """Make nothing yet."""
        self.path = path.absolute()
        self._descriptor = -1
        self._made: list[pathlib.Path] = []

    def create(self, content: bytes) -> bool:
        """Make the lock file, and the folders above it; return False where there is one."""
        folders = [self.path.parent, *self.path.parent.parents]
        missing = [folder for folder in folders if not folder.exists()]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._made = missing or self._made
        try:
            self._open(self.path, content)
        except FileExistsError:
            return False
        except OSError:
            self._remove_folders()
            raise
        return True

    def read(self) -> bytes | None:
        """Return its content, or None where there is none.

        Raises:
          errors.UserError: if it is no file, and can be no program's lock.
        """
        try:
            if kind := untrusted.kind(self.path.stat().st_mode):
                raise self._refusal(kind)
            # A pipe that took its place meanwhile must not keep us waiting.
            descriptor = os.open(self.path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        except FileNotFoundError:
            if self.path.is_symlink():
                raise self._refusal("a link to nothing") from None
            return None
        with os.fdopen(descriptor, "rb") as file:
            return file.read(_MOST_BYTES)

    def _refusal(self, kind: str) -> errors.UserError:
        return errors.UserError(
            f"{self.path} must be a file, in which the program that uses the folder writes its "
            f"name: it is {kind}; remove it"
        )

    def replace(self, content: bytes, *, dead: bytes) -> bool:
        """Put one of our own in the place of another's, in one rename.

        Of several programs on this machine one does so: the others find its lock. Where the file
        system has no flock, `settle_s` tells them apart.
        """
        with _flocked(self.path) as descriptor:
            if not _is_at(self.path, descriptor) or self.read() != dead:
                return False
            return self._put(content)

    def _put(self, content: bytes) -> bool:
        for killed in self.path.parent.glob(f"{atomic_file.TEMPORARY_PREFIX}*.{self.path.name}"):
            killed.unlink(missing_ok=True)  # Its program was killed while it took over.
        name = f"{atomic_file.TEMPORARY_PREFIX}{uuid.uuid4().hex}.{self.path.name}"
        ours = self.path.with_name(name)
        self._open(ours, content)
        try:
            ours.replace(self.path)
        except FileNotFoundError:  # Without flock: another took over meanwhile, and removed it.
            return False
        return True

    def renew(self, content: bytes) -> None:
        """Change the content of the file that we made, even if its name is another's by now."""
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        os.write(self._descriptor, content)
        os.fsync(self._descriptor)  # Other machines see it only then.

    def remove(self) -> None:
        """Remove the file, and the folders that were made for it and are empty."""
        self.close()
        self.path.unlink(missing_ok=True)
        self._remove_folders()

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1

    def _open(self, path: pathlib.Path, content: bytes) -> None:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            os.write(descriptor, content)
            os.fsync(descriptor)
        except OSError as error:
            os.close(descriptor)
            path.unlink(missing_ok=True)
            raise OSError(error.errno, error.strerror, str(path)) from None
        self.close()
        self._descriptor = descriptor

    def _remove_folders(self) -> None:
        with contextlib.suppress(OSError):
            for folder in self._made:
                folder.rmdir()


@contextlib.contextmanager
def _flocked(path: pathlib.Path) -> Iterator[int]:
    """Have a file to ourselves among the programs that use this function; yield its descriptor.

    The system gives it to the next when this process dies.
    """
    # NFS locks only what may be written. A pipe with a writer, us, would never be at its end.
    mode = os.O_RDWR if path.is_file() and os.access(path, os.W_OK) else os.O_RDONLY
    try:
        descriptor = os.open(path, mode | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError:
        yield -1
        return
    try:
        with contextlib.suppress(OSError, ImportError):  # Network file systems; Windows.
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def _is_at(path: pathlib.Path, descriptor: int) -> bool:
    """Return whether an open file still has its name."""
    try:
        return descriptor >= 0 and os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


class _Lock:
    """A lock file that this process wants, or holds.

    Attributes:
      done: set when it is no longer needed.
      token: tells it from all others.
    """

    def __init__(self, folder: object, place: Place) -> None:
        self.done = threading.Event()
        self._folder = folder
        self._place = place
        self._us = _ourselves()
        self.token = self._us.token

    def take(self, way_out: str) -> None:
        """Take the lock, that of a dead holder too.

        Raises:
          errors.UserError: if a living process has it.
        """
        for _ in range(_TRIES):
            if self._place.create(self._content()):
                return
            content = self._place.read()
            if content is not None and self._is_alive(content):
                content = self._place.read()
                if content is not None:
                    raise errors.UserError(
                        f"{self._folder} is in use by {_parse(content) or 'another program'}; wait "
                        f"for its end, or {way_out}"
                    )
            elif content is not None and self._is_taken_over(content):
                return
            time.sleep(_TRY_S)  # It was released meanwhile, or another took it over.
        raise errors.UserError(
            f"{self._folder} cannot be locked: its lock file comes and goes; {way_out}"
        )

    def renew_until_done(self) -> None:
        """Renew the lock now and then."""
        while not self.done.wait(self._place.beat_s):
            # A disk or store that is away for a moment is none of this thread's business.
            with contextlib.suppress(OSError, errors.UserError):
                self._renew()

    def release(self) -> None:
        """Remove the lock file, a damaged one too, unless it is another's by now."""
        content = self._place.read()
        if content is None or self._is_ours(content) or not _parse(content):
            self._place.remove()

    def _renew(self) -> None:
        content = self._place.read()
        if content is None:
            return  # Unmounted, perhaps: whatever is made now would be hidden when it is back.
        if self._is_ours(content):
            self._place.renew(self._content())
        elif self.done.is_set():
            return
        elif not (holder := _parse(content)):  # Damaged: another program would take it over.
            self._place.replace(self._content(), dead=content)
        else:
            _end(
                f"{self._folder} was taken over by {holder}: this process gave no sign of life for "
                "too long (was it suspended?), and ends before it writes anything else"
            )

    def _is_taken_over(self, dead: bytes) -> bool:
        """Put our lock in a dead holder's place; return whether we were the last to do so."""
        if not self._place.replace(self._content(), dead=dead):
            return False
        time.sleep(self._place.settle_s)
        content = self._place.read()
        return content is not None and self._is_ours(content)

    def _is_alive(self, content: bytes) -> bool:
        holder = _parse(content)
        is_running = _is_running(holder) if holder else None
        return self._gives_a_sign(content, holder) if is_running is None else is_running

    def _gives_a_sign(self, content: bytes, holder: Holder | None) -> bool:
        """Wait until the lock file changes, or has stayed the same for too long."""
        is_told = False
        beat_s, began = self._place.beat_s, time.monotonic()
        while (waited_s := time.monotonic() - began) < BEATS * beat_s:
            if waited_s > 2 * beat_s and not is_told:
                is_told = True
                print(
                    f"waiting       {holder or 'another program'} has {self._folder}, and is given "
                    f"up if it shows no sign of life within {BEATS * beat_s:.0f} s",
                    file=sys.stderr,
                    flush=True,
                )
            time.sleep(beat_s / 10)
            if self._place.read() != content:
                return True
        return False

    def _content(self) -> bytes:
        """Return the lock file's content now, always as many bytes."""
        now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="microseconds")
        return json.dumps({**dataclasses.asdict(self._us), "alive": now}, indent=1).encode()

    def _is_ours(self, content: bytes) -> bool:
        holder = _parse(content)
        return holder is not None and holder.token == self._us.token


def _parse(content: bytes) -> Holder | None:
    """Return the holder that a lock file names, or None where it is damaged or half written."""
    try:
        values = json.loads(content)
        named = {field.name: values[field.name] for field in dataclasses.fields(Holder)}
        texts = {name: _printable(str(value)) for name, value in named.items()}
        return Holder(**{**texts, "process": int(named["process"])})  # type: ignore[arg-type]
    except (ValueError, LookupError, TypeError, OverflowError, RecursionError):
        return None


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text[:200])


def _ourselves() -> Holder:
    process = os.getpid()
    return Holder(
        host=socket.gethostname(),
        process=process,
        program=_program(),
        started=f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M:%S} UTC",
        machine=_machine(),
        process_start=_process_start(process) or "",
        token=uuid.uuid4().hex,
    )


def _program() -> str:
    """Return the name of the running program, as in python -m."""
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    return spec.name if spec else pathlib.Path(sys.argv[0] or "python").name


def _machine() -> str:
    """Return where process numbers mean the same; "" where that cannot be told.

    Two containers may have one host name, and one machine may have several.
    """
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {(_PROC / 'self/ns/pid').readlink()}"
    except OSError:
        return f"{uuid.getnode():x}" if sys.platform == "darwin" else ""


def _is_running(holder: Holder) -> bool | None:
    """Return whether a holder's process is running; None where only its signs can tell."""
    if not holder.machine or holder.machine != _machine():
        return None
    if not 0 < holder.process <= _LAST_PROCESS:  # os.kill would ask for a group of processes.
        return False
    try:
        os.kill(holder.process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # Another user's.
    start = _process_start(holder.process)
    if start is None:
        return None
    is_ours = holder.process == os.getpid()
    return start == holder.process_start and (not is_ours or holder.token in _held)


def _process_start(process: int) -> str | None:
    """Return a process's start in ticks since the boot; "" if it has ended, None if unknown."""
    try:
        stat = (_PROC / str(process) / "stat").read_text(errors="replace")
    except OSError:
        return None
    state, *fields = stat.rpartition(")")[2].split()  # proc_pid_stat(5): from the third on.
    return "" if state in "ZX" else fields[18]


def _end(sentence: str) -> NoReturn:
    """End the process at once: whatever it still wrote would go into another's folder."""
    signals.exit_saying(errors.EXIT_CODE, f"\nerror: {sentence}")
