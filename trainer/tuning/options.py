"""Options of a sweep: its folder, the number of trials, the search space and pruning."""

import dataclasses

from runtime import errors, fields
from trainer.tuning import search_space


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sweep(fields.Checked):
    """Options of a sweep; they are flags of trainer.sweep."""

    sweep_dir: str = fields.field(
        "runs/sweep", "folder of the sweep; an interrupted sweep in it continues", path="folder"
    )
    trials: int = fields.field(30, "trials in all, including those of earlier starts", at_least=1)
    vary: tuple[str, ...] = fields.field(
        search_space.USUAL, "hyperparameters to vary", choices=tuple(search_space.CHOICES)
    )
    prune: bool = fields.field(
        True, "prune a trial when its best epoch is below the median of the others at that epoch"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.vary or len(set(self.vary)) < len(self.vary):
            raise errors.UserError(
                f"--vary must name one hyperparameter or more, each once: got "
                f"{','.join(self.vary) or 'nothing'}; the default is {','.join(search_space.USUAL)}"
            )
