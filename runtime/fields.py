"""Configuration fields that are also flags: declaration, parsing and checks.

Owns what a field knows about itself (help, unit, choices, range) and its check, so that flag, help
text, JSON and recipe cannot drift apart. Defining absl flags by hand beside the dataclass was
rejected for that reason.
"""

import dataclasses
import functools
import math
import pathlib
import types
import typing
from collections.abc import Sequence
from typing import Any, Literal

from runtime import errors

_MOST = 2**63 - 1
"""Largest whole number that a flag may have."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Option:
    """Describe a field: help text, unit, allowed values, effect on the result."""

    help: str
    unit: str = ""
    choices: tuple[Any, ...] = ()
    at_least: float = -math.inf
    at_most: float = math.inf
    default_text: str = ""
    """The default in words, for --help, where the value does not explain itself."""
    group: str = ""
    """Heading in --help; empty: that of the section."""
    changes_result: bool = True
    """Whether another value gives another result (weights, shards), or only another way to it."""
    goes_with: tuple[str, tuple[str, ...]] | None = None
    """Another field of the same section and its values with which this field has an effect."""
    path: Literal["", "file", "folder", "pattern"] = ""
    """What on a disk the value names, where it does: ~ is expanded, and a saved one is absolute."""
    words: tuple[str, ...] = ()
    """Values that are words of ours, where others are paths."""
    also: tuple[tuple[str, Any], ...] = ()
    """Words that a switch takes beside true and false, and the value that each stands for."""

    def is_path(self, value: Any) -> bool:
        """Return whether a value names something on a disk: no word of ours, and no URL."""
        is_text = isinstance(value, str) and value not in ("", *self.words)
        return bool(self.path) and is_text and "://" not in value


def field(default: Any, help: str, **about: Any) -> Any:
    """Declare a dataclass field with its `Option`."""
    return dataclasses.field(default=default, metadata={"option": Option(help=help, **about)})


class Checked:
    """A configuration class whose fields are checked when it is made."""

    def __post_init__(self) -> None:
        check(self)


def options(config_type: type) -> dict[str, Option]:
    """Return the options of a configuration class by field name, in order."""
    return {
        f.name: f.metadata["option"]
        for f in dataclasses.fields(config_type)
        if "option" in f.metadata
    }


@functools.cache
def value_type(config_type: type, *, name: str) -> tuple[type, bool]:
    """Return the type of a field's values and whether there may be several.

    (int, True) for tuple[int, ...].
    """
    annotation = typing.get_type_hints(config_type)[name]
    if typing.get_origin(annotation) is types.UnionType:
        annotation = next(a for a in typing.get_args(annotation) if a is not type(None))
    if typing.get_origin(annotation) is tuple:
        return typing.get_args(annotation)[0], True
    return annotation, False


def value_of(raw: Any, *, config_type: type, name: str) -> Any:
    """Parse the value of a field from the text of a flag, or from what YAML or JSON make of it.

    Raises:
      ValueError: with the rule, if it is no such value.
    """
    kind, several = value_type(config_type, name=name)
    if raw is None:
        return None
    if several:
        parts = [] if raw == "" else _parts(raw)
        if "" in parts:
            raise ValueError(f"must have a value before and after each comma: got {raw!r}")
        return tuple(_one_value(part, kind=kind, several=True) for part in parts)
    words = dict(options(config_type)[name].also)
    if isinstance(raw, str) and raw in words:
        return words[raw]
    value = _one_value(raw, kind=kind, several=False, words=tuple(words))
    return expanded(value) if options(config_type)[name].is_path(value) else value


def setting(raw: Any, *, config_type: type, name: str) -> Any:
    """Return the value of one field that a caller in Python gives, by the rules of its flag.

    Raises:
      errors.UserError: naming the field, the rule and the value.
    """
    kind, _ = value_type(config_type, name=name)
    default = next(f.default for f in dataclasses.fields(config_type) if f.name == name)
    try:
        if raw is None and default is not None:
            _one_value(raw, kind=kind, several=False)
        value = value_of(raw, config_type=config_type, name=name)
        _check_value(value, name=name, option=options(config_type)[name])
    except ValueError as error:
        raise errors.UserError(f"{name} {error}") from None
    except errors.UserError as error:
        raise errors.UserError(str(error).removeprefix("--")) from None
    return value


def expanded(path: str) -> str:
    """Return a path with ~ replaced by the home folder, otherwise as it was written."""
    if not path.startswith("~"):
        return path
    try:
        return str(pathlib.Path(path).expanduser())
    except RuntimeError:  # ~nobody: shells leave such a name as it is, too.
        return path


def absolute(config: Any) -> Any:
    """Return a configuration whose paths are absolute, so that it holds in other folders too."""
    about = options(type(config))
    here = pathlib.Path.cwd()
    values = {name: getattr(config, name) for name in about}
    return dataclasses.replace(
        config,
        **{
            name: str(here / expanded(value))
            for name, value in values.items()
            if about[name].is_path(value)
        },
    )


def check_path(value: str, *, option: Option) -> None:
    """Check the path that a flag is given: it is not empty, and no file in place of a folder.

    Raises:
      ValueError: with the rule, if it is.
    """
    kind = option.path
    if not kind:
        return
    noun = "folder or a pattern" if kind == "pattern" else kind
    if not value:
        raise ValueError(f"must name a {noun}: got nothing")
    if not option.is_path(value):
        return
    if kind == "folder" and pathlib.Path(value).is_file():
        raise ValueError(f"must be a folder: {value} is a file")
    if kind == "file" and pathlib.Path(value).is_dir():
        raise ValueError(f"must be a file: {value} is a folder")


def check(config: Any) -> None:
    """Check every field of a configuration against its option.

    Raises:
      errors.UserError: naming the flag, the rule and the value.
    """
    declared = {f.name: f for f in dataclasses.fields(config)}
    about = options(type(config))
    for name, option in about.items():
        value = getattr(config, name)
        for element in value if isinstance(value, tuple) else (value,):
            _check_value(element, name=name, option=option)
    # After all values are known to be allowed: the sentence names the value of another field.
    for name, option in about.items():
        if option.goes_with and getattr(config, name) != declared[name].default:
            _check_company(config, name=name, goes_with=option.goes_with)


def _parts(raw: Any) -> Sequence[Any]:
    if isinstance(raw, str):
        return raw.split(",")
    return raw if isinstance(raw, (list, tuple)) else [raw]


def _one_value(raw: Any, *, kind: type, several: bool, words: tuple[str, ...] = ()) -> Any:
    switch = ", ".join([*words, "true or false"])
    rules = {int: "a whole number", float: "a number", bool: switch, str: "text"}
    try:
        value = _as(kind, raw)
    except (ValueError, TypeError, OverflowError):
        value = None
    if value is None:
        raise ValueError(
            f"must be {rules[kind]}{' or several with commas' * several}: got {_short(raw)}"
        )
    return value


def _as(kind: type, raw: Any) -> Any:
    """Return a value as it is, or text and numbers as the kind that is wanted; None otherwise."""
    if isinstance(raw, kind) and (kind is bool or not isinstance(raw, bool)):
        return raw
    if isinstance(raw, str):
        return kind(raw.strip()) if kind is not bool and is_plain(raw) else None
    is_number = isinstance(raw, (int, float)) and not isinstance(raw, bool)
    if kind is float and is_number or kind is str and not isinstance(raw, (bool, list, dict)):
        return kind(raw)
    return None


def is_plain(text: str) -> bool:
    """Return whether a number is written with ASCII digits only, as every other program reads it.

    Python takes 4_0 for 40, and digits of all scripts.
    """
    return text.isascii() and "_" not in text


def is_count(text: str) -> bool:
    """Return whether text is a whole number of at most 63 bits, without a sign."""
    return is_plain(text) and text.isdecimal() and len(text) <= len(str(_MOST)) - 1


def _is_bounded(value: Any) -> bool:
    """Return whether a value, if it is a number, is finite, and a whole one has 64 bits."""
    if isinstance(value, int):
        return abs(value) <= _MOST
    return not isinstance(value, float) or math.isfinite(value)


def _short(raw: Any) -> str:
    """Return a value as a message quotes it."""
    if isinstance(raw, int) and abs(raw) > _MOST:
        return f"one of {raw.bit_length():,} bits"  # Python does not print one of many digits.
    return f"{raw!r:.200}"


def _check_value(value: Any, *, name: str, option: Option) -> None:
    if value is not None and option.choices and value not in option.choices:
        choices = [str(choice) for choice in option.choices]
        guess = errors.guess(str(value), known=choices)
        rule = f"--{name} must be one of {', '.join(choices)}: got {value}"
        raise errors.UserError(f"{rule}; {guess}" if guess else rule)
    if not _is_bounded(value):
        rule = "a finite number" if isinstance(value, float) else "a number of at most 63 bits"
        raise errors.UserError(f"--{name} must be {rule}: got {_short(value)}")
    if isinstance(value, (int, float)) and not option.at_least <= value <= option.at_most:
        raise errors.UserError(f"--{name} must be {_range_text(option)}: got {value}")


def _check_company(config: Any, *, name: str, goes_with: tuple[str, tuple[str, ...]]) -> None:
    other, values = goes_with
    value = getattr(config, other)
    if value not in values:
        raise errors.UserError(
            f"--{name} has no effect with --{other}={value}: it needs {company_text(goes_with)}"
        )


def company_text(goes_with: tuple[str, tuple[str, ...]]) -> str:
    """Return --model=cnn or resnet_small, for goes_with=("model", ("cnn", "resnet_small"))."""
    other, values = goes_with
    return f"--{other}={', '.join(values[:-1])}{' or ' if values[1:] else ''}{values[-1]}"


def _range_text(option: Option) -> str:
    if math.isinf(option.at_most):
        return f"at least {option.at_least:g}"
    if math.isinf(option.at_least):
        return f"at most {option.at_most:g}"
    return f"between {option.at_least:g} and {option.at_most:g}"
