"""Judge of the arena: evaluates a model file, or a table of probabilities, on a split.

Owns the entrants and what a report says of them. Metrics, page and files are those of our own runs
(reports.publication), so that trainer.compare takes both.
"""

import dataclasses
import hashlib
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from runtime import errors, machine
from trainer.arena import adapter as adapter_lib
from trainer.arena import inference, model_file, model_input, probabilities
from trainer.data import dataset_version, examples, id_list
from trainer.evaluation import predictions
from trainer.evaluation.groups import grouping
from trainer.reports import publication, thumbnails
from trainer.reports.sections import model_facts

_CHUNK_BYTES = 1 << 20


@dataclasses.dataclass(frozen=True, kw_only=True)
class Entrant:
    """A model file with its adapter, or a table of probabilities."""

    path: pathlib.Path
    given: adapter_lib.Adapter | probabilities.Table


@dataclasses.dataclass(frozen=True, kw_only=True)
class Field:
    """The examples that an entrant is evaluated on: a split of a version, or its listed part; and
    by which attributes its numbers are divided."""

    version: dataset_version.Version
    split: str
    listed: id_list.IdList | None
    grouped: grouping.Grouping = grouping.Grouping()

    def read(self, *, size_px: int) -> tuple[examples.Split, str]:
        """Return the examples at an image size, and which part they are; see id_list.take.

        Raises:
          errors.UserError: if the list or the attributes asked for do not fit them.
        """
        whole = examples.read(self.version, split=self.split, size_px=size_px, cache="none")
        split, subset = id_list.take(whole, listed=self.listed)
        self.grouped.check(split)
        return split, subset


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Answer:
    """What an entrant gave for a split: float64[N, K], and what the report says of the entrant."""

    split: examples.Split
    subset: str
    probabilities: np.ndarray
    classes: Sequence[str | None]
    protocol: Mapping[str, str]
    remark: str
    facts: Mapping[str, str] = dataclasses.field(default_factory=dict)
    ms_per_face: float | None = None


def judge(entrant: Entrant, *, field: Field, folder: pathlib.Path) -> publication.Evaluated:
    """Evaluate an entrant on examples; write its report into a folder, and print it.

    Raises:
      errors.UserError: if the entrant cannot be run, or does not fit the data.
    """
    if isinstance(entrant.given, probabilities.Table):
        answer = _of_table(entrant.given, field=field)
    else:
        answer = _of_model(entrant.path, adapter=entrant.given, field=field)
    preds = predictions.Predictions(
        class_names=field.version.class_names,
        filenames=answer.split.filenames,
        copies=answer.split.copies,
        labels=answer.split.labels,
        probabilities=answer.probabilities,
    )
    about = publication.About(
        model=entrant.path,
        protocol=_protocol(entrant, field=field, answer=answer),
        remark=answer.remark,
        models=[model_facts.ModelFacts(name=entrant.path.name, facts=answer.facts)],
        ms_per_face=answer.ms_per_face,
        grouped=field.grouped,
    )
    return publication.publish(
        preds, split=answer.split, version=field.version, folder=folder, about=about
    )


def _of_table(table: probabilities.Table, *, field: Field) -> _Answer:
    data = field.version
    probabilities.check_classes(table, data_classes=data.class_names, data=data.name)
    split, subset = field.read(size_px=thumbnails.SIDE)
    probs, num_unused = probabilities.match(
        table, filenames=split.filenames, copies=split.copies, data_classes=data.class_names
    )
    rows = f"{len(table.ids):,} rows"
    unused = f", {num_unused:,} of them of no example of this evaluation" * bool(num_unused)
    print(f"predictions   {table.path}  {rows}{unused}", flush=True)
    return _Answer(
        split=split,
        subset=subset,
        probabilities=probs,
        classes=table.names,
        protocol={"entrant": f"a table of probabilities, {rows}"},
        remark=f"probabilities of {table.path.name}",
    )


def _of_model(path: pathlib.Path, *, adapter: adapter_lib.Adapter, field: Field) -> _Answer:
    data = field.version
    adapter_lib.check_classes(adapter, data_classes=data.class_names, data=data.name)
    model = model_file.open_file(path)
    taken = model_input.resolve(
        adapter, shape=model.shape, takes_integers=model.takes_integers, where=path
    )
    about = f"{taken.describe()}, {adapter.describe()}; {model.runtime} on the CPU"
    print(f"model         {path}  {about}", flush=True)
    split, subset = field.read(size_px=taken.size_px)
    values = inference.outputs(model, split=split, adapter=adapter, taken=taken)
    try:
        probs = probabilities.of_outputs(values, adapter=adapter, data_classes=data.class_names)
    except ValueError as error:
        raise errors.UserError(f"{path}, judged as {adapter.path} says: {error}") from None
    ms_per_face, how = inference.milliseconds(model, split=split, adapter=adapter, taken=taken)
    speed = f"{ms_per_face:.3g} ms a face"
    print(f"speed         {speed} ({how})", flush=True)
    return _Answer(
        split=split,
        subset=subset,
        probabilities=probs,
        classes=adapter.classes,
        protocol={"entrant": about, "speed": f"{speed} ({how})"},
        remark=f"{path.name}, {speed}",
        facts={
            model_facts.NETWORK: f"{path.name}, {path.stat().st_size / 1e6:,.1f} MB",
            "input": f"{taken.describe()}, {adapter.describe()}",
            "hardware": f"{machine.describe()}; {model.runtime} on the CPU",
            "speed": f"{speed} ({how})",
        },
        ms_per_face=ms_per_face,
    )


def _protocol(entrant: Entrant, *, field: Field, answer: _Answer) -> dict[str, str]:
    names = field.version.class_names
    left_out = [name or "one of no class" for name in answer.classes if name not in names]
    others = f"; left out of the model's: {', '.join(left_out)}" if left_out else ""
    return {
        "model": f"{entrant.path.name} (SHA-256 {_sha256(entrant.path)[:12]})",
        **publication.protocol_of_data(field.version, split=answer.split, subset=answer.subset),
        "classes": ", ".join(names) + others,
        **answer.protocol,
        "trained on": "not known: it may have seen these images",
    }


def _sha256(path: pathlib.Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
