"""Options of a hyperparameter sweep."""

import dataclasses

from runtime import fields
from trainer.tuning import search_space


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sweep(fields.Checked):
    """The search."""

    sweep_dir: str = fields.field(
        "runs/sweep", "folder of the sweep; one that was cut off continues"
    )
    trials: int = fields.field(30, "trials in all, those of earlier starts counted", at_least=1)
    vary: tuple[str, ...] = fields.field(
        search_space.USUAL, "what is chosen", choices=tuple(search_space.CHOICES)
    )
    prune: bool = fields.field(
        True, "give a trial up when its best epoch is below the median of the others at that time"
    )
