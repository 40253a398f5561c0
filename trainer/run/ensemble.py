"""Ensemble: several trained runs that are used as one model, whose outputs are averaged.

Owns how it is named (--model_dir=runs/a,runs/b) and what its runs must have in common. Each run
keeps its own network, image size, crop and test-time augmentation. The average is that of
probabilities, with equal weights (Lakshminarayanan et al. 2017, "Simple and Scalable Predictive
Uncertainty Estimation using Deep Ensembles", section 2.4), and of valence and arousal. An average
of weights was rejected: it says nothing of networks that began at different ones. So was a file
that lists the runs: it would outlive them.
"""

import dataclasses
import itertools
import pathlib
from collections.abc import Sequence
from typing import Any, TypeAlias

from runtime import errors, fields
from trainer.config import run_names
from trainer.evaluation import metrics_file
from trainer.run import data_provenance, trained_run

SEPARATOR = ","
HELP = (
    "folder of the trained model; several, separated by commas, are an ensemble, whose outputs are "
    "averaged"
)
"""Help of --model_dir in the programs that use a model."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ensemble:
    """Two trained runs or more that agree in classes, outputs and faces."""

    members: tuple[trained_run.Run, ...]
    report_dir: pathlib.Path | None = None
    """Where trainer.evaluate wrote its report; None: not known."""

    @property
    def model_dir(self) -> str:
        """Return the value of --model_dir that names it."""
        return SEPARATOR.join(str(run.model_dir) for run in self.members)

    @property
    def data(self) -> data_provenance.Provenance:
        """Return the training data of its first run."""
        return self.members[0].data

    def metrics(self) -> dict[str, Any] | None:
        """Return the metrics of its evaluation, or None where there is no report of it.

        Raises:
          errors.UserError: if there is none in report_dir, or it is another model's.
        """
        if self.report_dir is None:
            return None
        return _metrics(self.report_dir / metrics_file.FILE, model=self)

    def print_if_unfinished(self) -> None:
        """Print which of its runs are not finished."""
        for run in self.members:
            run.print_if_unfinished()


Model: TypeAlias = trained_run.Run | Ensemble
"""What --model_dir names: `members` are its runs, one or more."""


def find(model_dir: str) -> Model:
    """Open a model folder, or several that are separated by commas, without TensorFlow.

    Raises:
      errors.UserError: if one holds no trained run, is given twice, or differs from the others.
    """
    if SEPARATOR not in model_dir or pathlib.Path(model_dir).exists():
        return trained_run.find(model_dir)
    folders = model_dir.split(SEPARATOR)
    if "" in folders:
        raise errors.UserError(
            f"--model_dir must name a folder before and after each comma: got {model_dir!r}"
        )
    runs = tuple(trained_run.find(fields.expanded(folder)) for folder in folders)
    for first, second in itertools.combinations(runs, 2):
        if first.model_dir.resolve() == second.model_dir.resolve():
            raise errors.UserError(
                f"--model_dir names {first.model_dir} twice, and an ensemble has each run once: "
                "leave one out"
            )
    for run in runs[1:]:
        _check_pair(runs[0], run)
    return Ensemble(members=runs)


def title(folders: Sequence[pathlib.Path]) -> str:
    """Return the name in reports of the model whose runs are in these folders."""
    each = names(folders)
    if len(each) == 1:
        return each[0]
    return f"ensemble of {len(each)} runs, their outputs averaged: {', '.join(each)}"


def names(folders: Sequence[pathlib.Path]) -> list[str]:
    """Return the names of the runs in these folders, all different."""
    return run_names.of(folders)


def _check_pair(first: trained_run.Run, other: trained_run.Run) -> None:
    """Refuse two runs that give other outputs, or take other faces."""
    wanted, found = _in_common(first), _in_common(other)
    for name, value in wanted.items():
        if found[name] != value:
            raise errors.UserError(
                f"the runs of an ensemble must have the same {name}: {first.model_dir} has "
                f"{value}, and {other.model_dir} has {found[name]}; leave one of them out, or "
                "train it anew like the others"
            )


def _in_common(run: trained_run.Run) -> dict[str, str]:
    """Return what the runs of an ensemble must agree in, in words."""
    return {
        "classes": ", ".join(run.data.class_names),
        "outputs": f"--heads={run.settings.model.heads}",
        "faces": _faces(run.data),
    }


def _faces(data: data_provenance.Provenance) -> str:
    stored = f"{data.stored_size} px stored as {data.encoding.upper()}"
    if data.crop is None:
        return f"{stored}, cut in a way that is not recorded"
    settings = ", ".join(f"{name} {value}" for name, value in data.crop.items())
    return f"{stored}, cut with {settings}"


def _metrics(path: pathlib.Path, *, model: Ensemble) -> dict[str, Any]:
    measure = (
        f"'python -m trainer.evaluate --model_dir={model.model_dir} --report_dir={path.parent}'"
    )
    wanted = title([run.model_dir for run in model.members])
    try:
        metrics = metrics_file.read(path)
    except (FileNotFoundError, ValueError) as error:
        reason = "there is none" if isinstance(error, FileNotFoundError) else error
        raise errors.UserError(f"cannot read {path} ({reason}): {measure} writes it") from None
    if (found := metrics["protocol"].get("model")) != wanted:
        raise errors.UserError(
            f"--report_dir must hold the report of the {wanted}: {path} is that of {found}; "
            f"{measure} writes it"
        )
    return metrics


def check_is_one_run(model: Model, *, flag: str) -> None:
    """Refuse an ensemble where a flag looks into a network.

    Raises:
      errors.UserError: if it is one.
    """
    if len(model.members) > 1:
        raise errors.UserError(
            f"{flag} looks into one network, and {model.model_dir} is an ensemble of "
            f"{len(model.members)}: name one of its runs with --model_dir, or leave out {flag}"
        )
