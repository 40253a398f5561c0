"""Command line of the benchmarks: what they refuse, and how they end.

Owns that a wrong flag, a missing folder or a failed measurement is one sentence and an exit code,
before anything was started where a flag alone shows it. The checks of the other programs
(runtime/flags.py) were rejected: those flags are fields of sections, which benchmarks do not have.
"""

import contextlib
import math
import subprocess
from collections.abc import Callable, Sequence
from typing import Any

from absl import app, flags

from runtime import errors, program, signals


def run(main: Callable[[Sequence[str]], None]) -> None:
    """Be a benchmark's program.

    Ctrl-C and SIGTERM raise in it, so that the processes that it has started are stopped.
    """
    program.prepare()
    signals.raise_in_main()
    app.run(
        lambda argv: program.or_exit(lambda: _run(main, argv)),
        flags_parser=lambda argv: program.or_exit(lambda: _parse(argv)),
    )


def _parse(argv: Sequence[str]) -> list[str]:
    """Parse the flags; return the program's name.

    Raises:
      errors.UserError: about a flag, or a word that is none.
    """
    try:
        found = list(flags.FLAGS(argv))
    except flags.Error as error:
        reason = " ".join(str(error).split())
        raise errors.UserError(f"{reason}; --help lists the flags") from None
    if len(found) > 1:
        raise errors.UserError(
            f"flags are written --name=value: got {found[1]!r} by itself; --help lists them"
        )
    return found


def _run(main: Callable[[Sequence[str]], None], argv: Sequence[str]) -> None:
    try:
        main(argv)
    except subprocess.CalledProcessError as error:
        words = error.cmd if isinstance(error.cmd, str) else " ".join(map(str, error.cmd))
        refusal = errors.UserError(
            f"a command of this benchmark ended with code {error.returncode}, and says why above: "
            f"{words}"
        )
        if error.returncode != errors.EXIT_CODE:
            refusal.exit_code = errors.FAILED
        raise refusal from None


def whole_numbers(flag: flags.FlagHolder[Any], *, least: int) -> None:
    """Have a flag refused unless it lists whole numbers of at least so many."""
    rule = f"must be whole numbers of at least {least}, separated by commas"
    _refuse_unless(flag, lambda text: int(text) >= least, rule=rule)


def chosen(flag: flags.FlagHolder[Any], *choices: str) -> None:
    """Have a flag refused unless it lists some of the choices."""
    rule = f"must be some of {', '.join(choices)}, separated by commas"
    _refuse_unless(flag, lambda text: text in choices, rule=rule)


def range_of_seconds(flag: flags.FlagHolder[Any]) -> None:
    """Have a flag refused unless it lists a least and a most number of seconds."""

    def checked(texts: Sequence[str]) -> bool:
        with contextlib.suppress(ValueError):  # Too few or too many, or text.
            least, most = map(float, texts)
            if 0 <= least <= most < math.inf:
                return True
        got = ",".join(texts)
        raise flags.ValidationError(f"must be two numbers of seconds, the least first: got {got}")

    flags.register_validator(flag, checked)


def _refuse_unless(
    flag: flags.FlagHolder[Any], is_right: Callable[[str], bool], *, rule: str
) -> None:
    def checked(texts: Sequence[str]) -> bool:
        for text in texts or [""]:
            try:
                is_fine = is_right(text)
            except ValueError:
                is_fine = False
            if not is_fine:
                raise flags.ValidationError(f"{rule}: got {text!r}")
        return True

    flags.register_validator(flag, checked)
