"""Flags of the label audit that are not those of training, and which of those it refuses."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from runtime import errors, fields
from trainer.config import run_config

FILTERS = (
    "low_self_confidence",
    "prune_by_noise_rate",
    "prune_by_class",
    "both",
    "confident_learning",
    "predicted_neq_given",
)
"""Cleanlab's rules of which labels are errors."""

SINGLE_RUN_FLAGS = ("model_dir", "overwrite", "dry_run", "find_lr", "profile_steps")

_LEAKING_FLAGS = {
    "teacher": "its model was trained on the labels that are judged, and hands them on",
    "suspects": "such a list is what an audit finds, and networks are trained with it afterwards",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Audit(fields.Checked):
    """Folds, the rule for label errors, and where the audit is written."""

    output_dir: str = fields.field(
        "runs/audit",
        "folder of the audit; an interrupted one is continued",
        path="folder",
    )
    folds: int = fields.field(
        5,
        "parts of the training images, each judged by a network that was trained on the others",
        at_least=2,
        at_most=20,
    )
    filter_by: str = fields.field(
        "low_self_confidence",
        "cleanlab's rule of which labels are errors: the least probable labels, as many as the "
        "confident joint estimates; as many of each pair of classes, or of each class; those that "
        "both name; those off the diagonal of the confident joint; or all that the network "
        "predicts otherwise",
        choices=FILTERS,
    )
    page_suspects: int = fields.field(
        200, "label errors shown on the page, the likeliest first", at_least=1, at_most=2000
    )


SECTIONS: dict[str, type] = {"Audit": Audit, **run_config.SECTIONS}


def settings_of(given: Mapping[str, Any]) -> run_config.Config:
    """Return the settings that the networks of all folds share.

    Raises:
      errors.UserError: for a flag that has no meaning in an audit, or a bad value.
    """
    for name in SINGLE_RUN_FLAGS:
        if name in given:
            raise errors.UserError(
                f"--{name} is for one run of trainer.main; an audit has its --output_dir"
            )
    settings = run_config.resolve(given)
    for name, reason in _LEAKING_FLAGS.items():
        if run_config.flat(settings).get(name) is not None:
            raise errors.UserError(f"--{name} has no place in an audit: {reason}; leave it out")
    return settings
