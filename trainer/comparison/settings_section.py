"""Settings of the compared runs: a table of those that differ."""

from collections.abc import Sequence
from typing import Any

import webpage.page
from trainer.comparison import training_record
from webpage import markup

_UNKNOWN = "not known"

Records = Sequence[training_record.TrainingRecord]


def section(names: Sequence[str], records: Records) -> list[markup.Content]:
    """Show the settings that differ between runs, a column a run."""
    known = [record.settings for record in records if record.settings is not None]
    if len(known) < 2:
        sentence = "The settings of fewer than two of these models are known: none are compared."
        return [markup.element("p", sentence)]
    differing = differing_names(records)
    num_equal = len(known[0]) - len(differing)
    note = webpage.page.note(
        f"{num_equal} other settings that change a result are the same in all runs. Settings that "
        "only say where files are, or how often something is written, are not compared."
    )
    if not differing:
        sentence = "No setting differs: the runs differ by their data, version or hardware alone."
        return [markup.element("p", sentence), note]
    rows = [[_flag(name), *(_cell(record, name) for record in records)] for name in differing]
    return [webpage.page.table(["setting", *names], rows, texts=1 + len(names)), note]


def differing_names(records: Records) -> list[str]:
    """Return the settings that are not the same in all runs whose settings are known."""
    known = [record.settings for record in records if record.settings is not None]
    return [name for name in known[0] if any(each[name] != known[0][name] for each in known)]


def _flag(name: str) -> markup.Markup:
    return markup.element("code", f"--{name}")


def _cell(record: training_record.TrainingRecord, name: str) -> str:
    return _UNKNOWN if record.settings is None else _text(record.settings[name])


def _text(value: Any) -> str:
    """Return a value as its flag takes it."""
    if value is None or value == ():
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (tuple, list)):
        return ",".join(map(_text, value))
    return str(value)
