"""Command-line flags made from configuration fields: definition, parsing, help page.

Owns how a program is run on its flags; the rules belong to the fields (runtime/fields.py). absl's
own --help was rejected: it sorts flags by name, so that batch_size appears between arousal and beta
rather than beside learning_rate.
"""

import dataclasses
import difflib
import pathlib
import sys
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from absl import app, flags

from runtime import errors, fields, installation, json_log, program, signals, untrusted

Sections = Mapping[str, type]
"""Section title to configuration class."""

_LONGEST_NAME = 100
"""Longest name of a flag, in characters: absl looks for the nearest known one by recursion."""

_HELP = ("-h", "--h", "--help", "-help", "--helpfull", "--helpshort", "--helpxml")
"""absl has pages of its own for the last three; there is one page here."""


class _Parser(flags.ArgumentParser[Any]):
    """Parses the text of a flag by the rule of its field."""

    def __init__(self, *, config_type: type, name: str) -> None:
        self._config_type, self._name = config_type, name

    def parse(self, argument: Any) -> Any:
        option = fields.options(self._config_type)[self._name]
        try:
            value = fields.value_of(argument, config_type=self._config_type, name=self._name)
            fields.check_path(value, option=option)
        except ValueError as error:
            # Not left to absl, whose message would have to be taken apart again.
            raise errors.UserError(f"--{self._name} {error}") from None
        return value

    def flag_type(self) -> str:
        return fields.value_type(self._config_type, name=self._name)[0].__name__


class _SwitchParser(_Parser):
    """Parses a switch that takes words beside true and false."""

    def parse(self, argument: Any) -> Any:
        if argument in _SWITCH:
            return _SWITCH[argument]
        return super().parse(argument)


_SWITCH = {**dict.fromkeys(("true", "t", "1"), True), **dict.fromkeys(("false", "f", "0"), False)}
"""What absl takes for true and false; --name is true, and --noname is false."""


def define(sections: Sections, *, values: flags.FlagValues = flags.FLAGS) -> None:
    """Define one flag for each field of each section; nothing is present until it is given."""
    for config_type in {**sections, **json_log.SECTIONS}.values():
        for name, about in fields.options(config_type).items():
            if name in values:  # A program that runs again in the same process.
                delattr(values, name)
            if about.also:
                switch = _SwitchParser(config_type=config_type, name=name)
                flags.DEFINE_flag(
                    flags.Flag(
                        switch, flags.ArgumentSerializer(), name, None, about.help, boolean=True
                    ),
                    flag_values=values,
                )
            elif fields.value_type(config_type, name=name)[0] is bool:
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
    groups: dict[str, list[str]] = {}
    for title, config_type in {**sections, **json_log.SECTIONS}.items():
        for name, option in fields.options(config_type).items():
            entry = _entry(config_type, name=name, option=option)
            groups.setdefault(option.group or title, []).append(entry)
    blocks = [title + "\n" + "\n".join(entries) for title, entries in groups.items()]
    return "\n\n".join([about, *blocks])


def run(main: Callable[[], int | None], *, sections: Sections, about: str) -> None:
    """Run a program on its flags; --help prints the help page, --version the version.

    What a person can correct becomes one sentence on stderr and exit code 2 (`program.or_exit`).
    """

    def without_words(words: Sequence[str]) -> int | None:
        _refuse_words(words, sections=sections)
        return main()

    _start(without_words, sections=sections, about=about)


def run_on(main: Callable[[Sequence[str]], int | None], *, sections: Sections, about: str) -> None:
    """Run a program, as `run` does, on the arguments that are no flags, which name files."""
    _start(
        lambda words: main([fields.expanded(word) for word in words]),
        sections=sections,
        about=about,
    )


def run_passing_on(
    main: Callable[[Sequence[str]], int | None], *, sections: Sections, about: str
) -> None:
    """Run a program, as `run` does, on the flags that are not ours."""

    def without_words(rest: Sequence[str]) -> int | None:
        _refuse_words(_words(rest), sections=sections)
        return main(rest)

    _start(without_words, sections=sections, about=about, passes_on=True)


def _start(
    main: Callable[[Sequence[str]], int | None],
    *,
    sections: Sections,
    about: str,
    passes_on: bool = False,
) -> None:
    """Parse the command line, run the program on what is left of it, and exit."""
    program.prepare()
    signals.end_at_once()
    flags.FLAGS.set_gnu_getopt(True)  # Flags may follow other arguments.
    with program.ending():
        app.run(
            lambda argv: program.or_exit(lambda: _recorded(lambda: main(argv[1:]))),
            flags_parser=lambda argv: program.or_exit(
                lambda: _parse(argv, sections=sections, about=about, passes_on=passes_on)
            ),
        )


def _words(rest: Sequence[str]) -> list[str]:
    """Return the arguments that are neither flags nor, as in --runner NAME, the value of one."""
    before = ["", *rest]
    return [
        word
        for previous, word in zip(before, rest, strict=False)
        if not word.startswith("-") and not (previous.startswith("-") and "=" not in previous)
    ]


def _refuse_words(words: Sequence[str], *, sections: Sections) -> None:
    """Refuse arguments without a flag, where a program takes none.

    Raises:
      errors.UserError: naming the first, and the flag that it may be meant for.
    """
    if not words:
        return
    looks_like_path = "/" in words[0] or pathlib.Path(words[0]).exists()
    folders = [
        name
        for config_type in sections.values()
        for name, option in fields.options(config_type).items()
        if option.path == "folder"
    ]
    hint = "--help lists them"
    if looks_like_path and folders:
        hint = f"did you mean --{folders[0]}={words[0]}?"
    raise errors.UserError(f"flags are written --name=value: got {words[0]!r} by itself; {hint}")


def unknown(name: str, *, sections: Sections, whose: str = "") -> str:
    """Return the sentence about an unknown flag, with the nearest one that is known.

    Args:
      name: the unknown flag, without dashes.
      sections: the known flags.
      whose: remark behind the name, such as (neither ours nor Beam's).
    """
    switch = name.removeprefix("no").lstrip("_-")
    near = f"no{switch}" if _is_switch(switch, sections=sections) else ""  # For --no_align.
    near = near or nearest(name, sections=sections)
    hint = f"did you mean --{near}?" if near else "--help lists all"
    return f"unknown flag --{name}{whose and ' ' + whose}; {hint}"


def _is_switch(name: str, *, sections: Sections) -> bool:
    return any(
        name in fields.options(config_type) and fields.value_type(config_type, name=name)[0] is bool
        for config_type in sections.values()
    )


def nearest(name: str, *, sections: Sections, cutoff: float = 0.6) -> str:
    """Return the known flag nearest to a name, or "" if none is near (difflib's `cutoff`)."""
    known = [
        each
        for config_type in {**sections, **json_log.SECTIONS}.values()
        for each in fields.options(config_type)
    ]
    return next(iter(difflib.get_close_matches(name, known, n=1, cutoff=cutoff)), "")


def _parse(
    argv: Sequence[str], *, sections: Sections, about: str, passes_on: bool = False
) -> list[str]:
    """Return the arguments that are no flags, the program's name first.

    Prints the help page or the version, and exits, where it is asked for.
    """
    own = argv[1 : argv.index("--") if "--" in argv else None]
    if any(arg in _HELP for arg in own):
        print(help_text(sections, about=about))
        sys.exit(0)
    if "--version" in own:
        print(installation.version_line())
        sys.exit(0)
    return parse(argv, sections=sections, passes_on=passes_on)


def parse(
    argv: Sequence[str],
    *,
    sections: Sections,
    passes_on: bool = False,
    values: flags.FlagValues = flags.FLAGS,
) -> list[str]:
    """Parse a command line; return the arguments that are no flags, the program's name first.

    Args:
      argv: the command line, beginning with the program's name.
      sections: the flags there are.
      passes_on: whether unknown flags are returned too rather than refused.
      values: where the values are kept.

    Raises:
      errors.UserError: for a flag or a value that is not allowed.
    """
    _check_words(argv[1:])
    try:
        return values(list(argv), known_only=passes_on)
    except flags.UnrecognizedFlagError as error:
        raise errors.UserError(unknown(error.flagname, sections=sections)) from None
    except flags.IllegalFlagValueError as error:
        # A switch, or a flag of absl's own. absl writes: flag --align=yes!: (and the reason).
        name, _, rest = str(error).removeprefix("flag --").partition("=")
        value, _, rule = rest.partition(": ")
        if rule.startswith("('Non-boolean"):  # absl's own text, which is not a sentence.
            rule = f"must be true or false: got {value!r}"
        raise errors.UserError(f"--{name} {rule}") from None
    except flags.Error as error:
        raise errors.UserError(str(error).removeprefix("ERROR:: ")) from None
    except ValueError as error:  # absl's own, of --noalign=1: ours are sentences already.
        raise errors.UserError(f"{error}; leave out what follows =") from None


def _check_words(arguments: Iterable[str], known: frozenset[str] = frozenset()) -> None:
    """Check what absl cannot take: names too long to guess at, and files of flags to be opened.

    Raises:
      errors.UserError: for such a name, or a file of flags that is no text.
      OSError: as untrusted.check does of the file.
    """
    words = iter(arguments)
    for word in words:
        if word == "--":
            return
        if word.startswith("-") and len(name := word.partition("=")[0]) > _LONGEST_NAME:
            raise errors.UserError(f"unknown flag {name[:_LONGEST_NAME]}…; --help lists all")
        if not word.lstrip("-").startswith("flagfile") or not word.startswith("-"):
            continue
        name = word.partition("=")[2] or next(words, "")
        path = fields.expanded(name.strip())
        if not path or path in known or not pathlib.Path(path).exists():
            continue  # absl says what is missing.
        text = untrusted.read_text(path, at_most=untrusted.SETTINGS_BYTES)
        _check_words([line.strip() for line in text.splitlines()], known | {path})


def _recorded(main: Callable[[], int | None]) -> int | None:
    """Call a program's main function with the file of --log_json open."""
    return json_log.recorded(main, path=flags.FLAGS["log_json"].value)


def _entry(config_type: type, *, name: str, option: fields.Option) -> str:
    """Return the entry of a flag in the help page."""
    is_switch = fields.value_type(config_type, name=name)[0] is bool
    body = f"{meaning(option)} Default: {default_text(config_type, name=name)}."
    words = f"[={'|'.join(word for word, _ in option.also)}]" if option.also else ""
    return f"  --{'[no]' if is_switch else ''}{name}{words}\n" + textwrap.fill(
        body, width=100, initial_indent=" " * 6, subsequent_indent=" " * 6
    )


def meaning(option: fields.Option) -> str:
    """Return what a flag means: help, unit, choices and the flag that it needs."""
    unit = f", in {option.unit}" if option.unit else ""
    choices = f" One of: {', '.join(map(str, option.choices))}." if option.choices else ""
    company = f" Only with {fields.company_text(option.goes_with)}." if option.goes_with else ""
    return f"{option.help}{unit}.{choices}{company}"


def default_text(config_type: type, *, name: str) -> str:
    """Return the default of a flag, in words where its value does not explain itself."""
    if text := fields.options(config_type)[name].default_text:
        return text
    default = next(f.default for f in dataclasses.fields(config_type) if f.name == name)
    if default is None:
        return "none"
    return ",".join(map(str, default)) if isinstance(default, tuple) else str(default).lower()
