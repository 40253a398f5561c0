"""Training facts: how a run was trained, in words: settings, duration, hardware, code.

Owns the wording, for reports and model cards alike. All of it comes from the run's own files
(config.json, history.csv, journal.json); what a run of an earlier release did not write down is
left out, never guessed.
"""

import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from runtime import fields
from trainer.config import run_config
from trainer.run import history as history_lib
from trainer.run import run_log

_PACKAGES = {"python": "Python", "tensorflow": "TensorFlow", "keras": "Keras", "numpy": "NumPy"}
"""Names in the log, and in the text."""


def facts(
    model_dir: pathlib.Path, *, settings: run_config.Config, history: Sequence[history_lib.Row]
) -> dict[str, str]:
    """Return what the run's files say of its training, by name; what they do not say is absent."""
    starts = run_log.starts(model_dir)
    found = {
        "training": _training(settings, history=history),
        "hardware": _each(map(_hardware, starts)),
        "started": _started(starts),
        "code": _each(map(_code, starts)),
        "software": _each(map(_software, starts)),
    }
    return {name: text for name, text in found.items() if text}


def changed_settings(settings: run_config.Config) -> dict[str, str]:
    """Return the settings that change the result and are not the default, as text by name."""
    changed = run_config.difference(run_config.Config(), new=settings)
    return {name: text for name, text in all_settings(settings).items() if name in changed}


def all_settings(settings: run_config.Config) -> dict[str, str]:
    """Return all settings that change the result, as text by name; of a path its last part."""
    values = run_config.flat(settings)
    return {
        name: _value(values[name], option=option)
        for section in run_config.SECTIONS.values()
        for name, option in fields.options(section).items()
        if option.changes_result
    }


def duration(seconds: float) -> str:
    """Return a duration: 48 s, 12 min 5 s or 3 h 20 min."""
    minutes, rest_s = divmod(round(seconds), 60)
    hours, rest_min = divmod(minutes, 60)
    if hours:
        return f"{hours:,} h {rest_min} min"
    return f"{minutes} min {rest_s} s" if minutes else f"{rest_s} s"


def _training(settings: run_config.Config, *, history: Sequence[history_lib.Row]) -> str:
    if not history:
        return ""
    epochs, planned = len(history), settings.training.epochs
    of_planned = f" of {planned:,}" if epochs != planned else ""
    batches = f"{_steps(history)} of {settings.training.batch_size:,} images"
    text = f"{epochs:,}{of_planned} epoch{'s' * (planned > 1)}, {batches}"
    if all("epoch_s" in row for row in history):
        text += f", in {duration(sum(row['epoch_s'] for row in history))}"
    return text


def _steps(history: Sequence[history_lib.Row]) -> str:
    steps = int(history[-1].get("step", 0))
    return f"{steps:,} steps" if steps else "batches"


def _hardware(start: Mapping[str, Any]) -> str:
    return "; ".join(str(start[name]) for name in ("machine", "devices") if name in start)


def _started(starts: Sequence[Mapping[str, Any]]) -> str:
    times = [str(each["started"]) for each in starts if "started" in each]
    if not times:
        return ""
    again = len(times) - 1
    text = times[0].replace("T", " ").replace("+00:00", " UTC")
    return f"{text}, and continued {again:,} time{'s' * (again > 1)}" if again else text


def _code(start: Mapping[str, Any]) -> str:
    version = _part(start, "versions").get("affectnet-faces")
    parts = [f"affectnet-faces {version}"] if version else []
    if git := _part(start, "git"):
        changes = ", with changes that were not committed" if git.get("changed") else ""
        parts.append(f"revision {str(git.get('commit'))[:12]}{changes}")
    return ", ".join(parts)


def _software(start: Mapping[str, Any]) -> str:
    versions = _part(start, "versions")
    return ", ".join(
        f"{title} {versions[name]}" for name, title in _PACKAGES.items() if name in versions
    )


def _part(start: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a part of an entry; an empty one where it is missing or damaged."""
    part = start.get(name)
    return part if isinstance(part, dict) else {}


def _each(texts: Iterable[str]) -> str:
    """Return the texts that differ, in order: a run may be continued elsewhere."""
    return "; then ".join(dict.fromkeys(filter(None, texts)))


def _value(value: Any, *, option: fields.Option) -> str:
    if isinstance(value, (tuple, list)):
        return ",".join(map(str, value)) or "none"
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return option.default_text or "none"
    return pathlib.PurePath(value).name if option.is_path(value) else str(value)
