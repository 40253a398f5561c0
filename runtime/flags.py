"""Flags made from a configuration's sections, parsed without importing TensorFlow.

Owns definition, help text and parsing; the rules live with the fields (`option`). absl's own --help
was rejected: it sorts flags by name, so that batch_size stands between arousal and beta rather than
beside learning_rate.
"""

import dataclasses
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from absl import app, flags

from runtime import errors, fields

Sections = Mapping[str, type]
"""Section title to configuration class."""


class _Parser(flags.ArgumentParser):
    """Parse the text of a flag by the rule of its field."""

    def __init__(self, *, config_type: type, name: str) -> None:
        self._config_type, self._name = config_type, name

    def parse(self, argument: Any) -> Any:
        return fields.value_of(argument, config_type=self._config_type, name=self._name)

    def flag_type(self) -> str:
        return fields.value_type(self._config_type, name=self._name)[0].__name__


def define(sections: Sections, *, values: flags.FlagValues = flags.FLAGS) -> None:
    """Define one flag for each field of each section; nothing is present until it is given."""
    for config_type in sections.values():
        for name, about in fields.options(config_type).items():
            if fields.value_type(config_type, name=name)[0] is bool:
                flags.DEFINE_boolean(name, None, about.help, flag_values=values)
            else:
                parser = _Parser(config_type=config_type, name=name)
                flags.DEFINE(parser, name, None, about.help, flag_values=values)


def given(sections: Sections, *, values: flags.FlagValues = flags.FLAGS) -> dict[str, Any]:
    """Return what the command line sets, by flag name."""
    names = [name for config_type in sections.values() for name in fields.options(config_type)]
    return {name: values[name].value for name in names if values[name].present}


def help_text(sections: Sections, *, about: str) -> str:
    """Return the help page: flags in groups, each with its unit and default."""
    blocks = [about]
    for title, config_type in sections.items():
        entries = [
            _entry(f, is_switch=fields.value_type(config_type, name=f.name)[0] is bool)
            for f in _fields(config_type)
        ]
        blocks.append(f"{title}\n" + "\n".join(entries))
    return "\n\n".join(blocks)


def run(main: Callable[[], None], *, sections: Sections, about: str) -> None:
    """Run a program: `--help` prints the page, a `errors.UserError` becomes its sentence and exit
    code 2."""

    def parse(argv: Sequence[str]) -> list[str]:
        rest = _parse(argv, sections=sections, about=about)
        if rest[1:]:
            no = f"flags are written --name=value: got {rest[1]!r} by itself; --help lists them"
            _refusing(lambda: _refuse(no))
        return rest

    app.run(lambda _: _refusing(main), flags_parser=parse)


def run_on(main: Callable[[Sequence[str]], None], *, sections: Sections, about: str) -> None:
    """Run a program, as `run` does, on the words that stand on the command line besides its flags."""
    flags.FLAGS.set_gnu_getopt(True)  # Flags may follow words.
    app.run(
        lambda argv: _refusing(lambda: main(argv[1:])),
        flags_parser=lambda argv: _parse(argv, sections=sections, about=about),
    )


def _parse(argv: Sequence[str], *, sections: Sections, about: str) -> list[str]:
    """Return what is no flag, the program's name first; print the help page, or what is wrong, and
    leave."""
    if any(arg in ("--help", "-h", "-help") for arg in argv[1:]):
        print(help_text(sections, about=about))
        sys.exit(0)
    return _refusing(lambda: _parsed(argv, sections=sections))


def _refuse(why: str) -> None:
    raise errors.UserError(why)


def _parsed(argv: Sequence[str], *, sections: Sections) -> list[str]:
    try:
        return flags.FLAGS(list(argv))
    except flags.UnrecognizedFlagError as error:
        known = [name for config_type in sections.values() for name in fields.options(config_type)]
        raise errors.UserError(_unknown(error.flagname, known=known)) from None
    except flags.IllegalFlagValueError as error:
        name, _, rule = str(error).removeprefix("flag --").partition("=")
        value, _, rule = rule.partition(": ")
        is_switch = rule.startswith("('Non-boolean")  # absl's own words, which are not a sentence.
        raise errors.UserError(
            f"--{name} {f'must be true or false: got {value!r}' if is_switch else rule}"
        ) from None
    except flags.Error as error:
        raise errors.UserError(str(error)) from None


def _unknown(name: str, *, known: Sequence[str]) -> str:
    return f"there is no flag --{name}; {errors.nearest(name, known=known)} (--help describes all)"


def _refusing(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except errors.UserError as no:
        print(f"error: {no}", file=sys.stderr)
        sys.exit(errors.EXIT_CODE)


def _fields(config_type: type) -> list[dataclasses.Field[Any]]:
    return [f for f in dataclasses.fields(config_type) if "option" in f.metadata]


def _entry(of: dataclasses.Field[Any], *, is_switch: bool) -> str:
    default, about = of.default, of.metadata["option"]
    text = ",".join(map(str, default)) if isinstance(default, tuple) else str(default).lower()
    shown = about.default_text or ("none" if default is None else text)
    choices = f" One of: {', '.join(about.choices)}." if about.choices else ""
    unit = f", in {about.unit}" if about.unit else ""
    company = f" Only with {fields.company_text(about.goes_with)}." if about.goes_with else ""
    body = f"{about.help}{unit}.{choices}{company} Default: {shown}."
    return f"  --{'[no]' if is_switch else ''}{of.name}\n" + textwrap.fill(
        body, width=100, initial_indent=" " * 6, subsequent_indent=" " * 6
    )
