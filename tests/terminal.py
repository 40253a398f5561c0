"""A terminal of a given width: what its screen shows of a program's output.

Owns an emulation of what a terminal does with text, carriage returns and line ends. Escape
sequences are refused: programs print none, so that NO_COLOR and TERM=dumb hold everywhere.
"""

import io


class Terminal(io.StringIO):
    """Stream that says it is a terminal; COLUMNS in the environment gives its width."""

    def isatty(self) -> bool:
        return True

    def rows(self, *, columns: int) -> list[str]:
        return rows(self.getvalue(), columns=columns)


def rows(output: str, *, columns: int) -> list[str]:
    """Return the rows that are on the screen, and in the lines above it, after an output."""
    assert "\x1b" not in output
    screen: list[list[str]] = [[]]
    row = column = 0
    for char in output:
        if char == "\r":
            column = 0
            continue
        if char == "\n" or column == columns:
            row, column = row + 1, 0
            screen += [[]] * (row == len(screen))
        if char != "\n":
            screen[row] = screen[row] + [" "] * (column - len(screen[row]))
            screen[row][column : column + 1] = [char]
            column += 1
    text = ["".join(each).rstrip() for each in screen]
    return text[:-1] if not text[-1] else text
