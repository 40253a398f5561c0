"""Terminal output: a progress line rewritten in place, bars, times, and tables that fit the width.

Owns how wide a line may be and how it is replaced: by a carriage return and spaces, without any
escape sequence, so that NO_COLOR needs no second way. On a dumb terminal, in a file and in a pipe
only whole lines are printed. Rich was rejected: it cuts the digits of a table that is too wide,
writes escapes with NO_COLOR too, and every installation would need it.
"""

import os
import shutil
import sys
import time
from collections.abc import Collection, Sequence
from typing import NamedTuple, TextIO

_BAR = 10
_DUMB = ("dumb", "unknown")
"""Values of TERM for terminals that cannot go back in a line."""


class Part(NamedTuple):
    """Part of a progress line, with the space before it."""

    text: str
    rank: int = 0
    """Parts of the highest rank are left out first where the line is too wide; those of 0 stay."""


class ProgressLine:
    """Line that each `show` replaces on a terminal; elsewhere final lines only are printed."""

    def __init__(self, *, to: TextIO | None = None, every_s: float = float("inf")) -> None:
        """Show on `to`, which is standard output by default.

        Args:
          to: where to.
          every_s: seconds after which a line that is not final is printed elsewhere too.
        """
        self._to = to
        self._every_s = every_s
        self._printed_at_s = time.monotonic()
        self._length = 0  # Of the text that stands in the terminal's line.

    def show(self, parts: Sequence[Part], *, final: bool) -> None:
        """Show the parts in place of those shown before; a final line stays."""
        out = self._to or sys.stdout
        if rewrites(out):
            text = fitted(parts, width=width(out) - 1)  # A full line would wrap.
            self._replace(text, out=out)
            if final:
                self._end(out)
        elif final or time.monotonic() - self._printed_at_s >= self._every_s:
            self._printed_at_s = time.monotonic()
            print("".join(part.text for part in parts), file=out, flush=True)

    def clear(self) -> None:
        """Remove what is shown, so that another line can be printed in its place."""
        if self._length:
            out = self._to or sys.stdout
            self._replace("", out=out)
            self._length = 0
            out.write("\r")
            out.flush()

    def close(self) -> None:
        """Let what is shown stay, and begin a new line."""
        if self._length:
            self._end(self._to or sys.stdout)

    def _replace(self, text: str, *, out: TextIO) -> None:
        out.write(f"\r{text:<{self._length}}")
        self._length = len(text)
        out.flush()

    def _end(self, out: TextIO) -> None:
        self._length = 0
        out.write("\n")
        out.flush()


def rewrites(out: TextIO) -> bool:
    """Return whether a line of a stream can be replaced: it is a terminal, and no dumb one."""
    return out.isatty() and os.environ.get("TERM") not in _DUMB


def width(out: TextIO) -> int:
    """Return the width of a terminal in columns."""
    try:
        columns = os.get_terminal_size(out.fileno()).columns
    except (OSError, ValueError):
        columns = 0
    return columns or shutil.get_terminal_size().columns


def fitted(parts: Sequence[Part], *, width: int) -> str:
    """Return the parts in one line, without the least important ones where it is too wide."""
    kept = list(parts)
    while sum(len(part.text) for part in kept) > width:
        last = max(kept, key=lambda part: part.rank)
        if not last.rank:
            break
        kept.remove(last)
    return "".join(part.text for part in kept)[: max(width, 1)]


def bar(frac: float) -> str:
    """Return a bar that is full at 1."""
    full = int(_BAR * min(frac, 1.0))
    return "█" * full + "░" * (_BAR - full)


def clock(seconds: float) -> str:
    """Return minutes:seconds, or hours:minutes:seconds from an hour on."""
    minutes, secs = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02d}:{secs:02d}"
    return f"{minutes}:{secs:02d}"


def table(rows: Sequence[Sequence[str]], *, left: Collection[str], to: TextIO | None = None) -> str:
    """Return rows as columns under their header, the first row; no cell is ever cut.

    On a terminal that is too narrow, the words of the header stand below each other and columns are
    closer together.

    Args:
      rows: of the same length.
      left: names of the columns that are aligned to the left.
      to: where the table is printed, standard output by default.
    """
    out = to or sys.stdout
    header, *body = rows
    on_left = [name in left for name in header]
    text = _columns([header, *body], on_left=on_left, gap="  ")
    if not out.isatty() or len(max(text.splitlines(), key=len)) <= width(out):
        return text
    return _columns([*_in_words(header), *body], on_left=on_left, gap=" ")


def _in_words(header: Sequence[str]) -> list[list[str]]:
    """Return a header as rows of one word each, the last words in the last row."""
    words = [name.split() for name in header]
    height = max(map(len, words))
    filled = [[""] * (height - len(each)) + each for each in words]
    return [list(row) for row in zip(*filled, strict=True)]


def _columns(rows: Sequence[Sequence[str]], *, on_left: Sequence[bool], gap: str) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            f"{cell:<{size}}" if is_left else f"{cell:>{size}}"
            for cell, size, is_left in zip(row, widths, on_left, strict=True)
        ]
        lines.append(f" {gap.join(cells)}".rstrip())
    return "\n".join(lines)
