"""Training record of a compared run: its settings, its history, and where its data were.

Owns where a record is found: in the folder that is compared, or in the run's folder around it,
where an evaluation on other data has its report. A model of others has none.
"""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from trainer.config import run_config
from trainer.run import data_provenance
from trainer.run import history as history_lib


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingRecord:
    """What is known of a run's training."""

    settings: Mapping[str, Any] | None = None
    """Those that change the result, by the name of their flag; None: not known."""
    history: Sequence[history_lib.Row] = ()
    data_dir: str | None = None


def load(folders: Sequence[str]) -> list[TrainingRecord]:
    """Read the records of several runs, in their order.

    Raises:
      errors.UserError: if a file of one is damaged.
    """
    return [_load(pathlib.Path(folder)) for folder in folders]


def _load(folder: pathlib.Path) -> TrainingRecord:
    for place in (folder, folder.resolve().parent):
        # Both, since other programs call their files config.json too.
        if all((place / name).is_file() for name in (run_config.FILE, data_provenance.FILE)):
            config = run_config.load(place / run_config.FILE)
            flat = run_config.flat(config)
            return TrainingRecord(
                settings={name: flat[name] for name in run_config.decisive()},
                history=history_lib.read_csv(place / history_lib.HISTORY),
                data_dir=config.data.data_dir,
            )
    return TrainingRecord()
