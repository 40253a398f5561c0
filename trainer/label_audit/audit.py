"""Audit: predicts every fold of the training split, finds label errors and writes the results.

Owns the order of an audit, its files, and the note of which audit a folder holds. The networks see
what trainer.main would train on, and nothing that shows an image they judge.
"""

import dataclasses
import hashlib
import json
import pathlib
from typing import Any

import numpy as np

from affectnet_tfds.reader import label_list
from runtime import atomic_file, errors, json_log, untrusted
from trainer.config import run_config
from trainer.data import dataset_version, image_groups
from trainer.evaluation import predictions
from trainer.label_audit import findings as findings_lib
from trainer.label_audit import folds as folds_lib
from trainer.label_audit import options, out_of_fold, page
from trainer.reports import publication
from trainer.run import context, model_folder
from trainer.training import soft_targets

NOTE = model_folder.AUDIT_NOTE
SUSPECTS, PREDICTIONS, PAGE, NUMBERS = "suspects.csv", predictions.FILE, "audit.html", "audit.json"


def run(asked: options.Audit, *, settings: run_config.Config, data_path: pathlib.Path) -> None:
    """Audit the training split, or continue an audit, and write page, lists and numbers.

    Raises:
      errors.UserError: if data, devices or folder do not fit the settings, or training fails.
    """
    version = dataset_version.open_version(data_path)
    for split in ("train", "validation"):
        dataset_version.check_split(version, split=split)
    ctx = context.create(settings, version=version)
    print(f"devices       {ctx.device_line}\ndata          {version.describe()}", flush=True)
    data, groups = _data(ctx, folds=asked.folds)
    output_dir = pathlib.Path(asked.output_dir)
    _check_same(output_dir, note=_note(ctx, data=data, folds=asked.folds))
    for fold in range(asked.folds):
        own = out_of_fold.folder_of(output_dir, fold=fold)
        model_folder.check_fold(own, settings=ctx.settings)
    outputs = []
    for fold in range(asked.folds):
        count = int((data.folds == fold).sum())
        print(f"fold          {fold + 1} of {asked.folds}: {count:,} examples to judge", flush=True)
        outputs.append(out_of_fold.predict(ctx, data=data, fold=fold, output_dir=output_dir))
    found = findings_lib.of(
        data.train,
        folds=data.folds,
        groups=groups,
        outputs=outputs,
        class_names=version.class_names,
        filter_by=asked.filter_by,
    )
    probs = findings_lib.joined(data.folds, parts=[each.probabilities for each in outputs])
    _write(found, ctx=ctx, data=data, probabilities=probs, asked=asked)


def suspects(found: findings_lib.Findings, *, split: str) -> list[dict[str, object]]:
    """Return the lines of suspects.csv, the likeliest error first."""
    lines: list[dict[str, object]] = []
    for image in found.found.ranked.tolist():
        label, suggested = int(found.labels[image]), int(found.found.suggested[image])
        probs = found.probabilities[image]
        lines.append(
            {
                "split": split,
                "filename": str(found.filenames[image]),
                "given": found.class_names[label],
                "suggested": found.class_names[suggested],
                "score": f"{found.found.score[image]:.6f}",
                "p_given": f"{probs[label]:.6f}",
                "p_suggested": f"{probs[suggested]:.6f}",
                "margin": f"{probs[label] - probs[suggested]:.6f}",
                "fold": int(found.folds[image]) + 1,
                "copies": len(found.copies(image)),
            }
        )
    return lines


def _data(ctx: context.RunContext, *, folds: int) -> tuple[out_of_fold.Data, np.ndarray]:
    """Return the examples with their folds, and the groups of copies: int64[N]."""
    train = context.read_split(ctx, split="train", for_training=True)
    validation = context.read_split(ctx, split="validation")
    train = soft_targets.attached(train, settings=ctx.settings.targets, version=ctx.version)
    groups = image_groups.of(train, version_dir=ctx.version.path)
    assigned = folds_lib.assign(train.filenames, labels=train.labels, groups=groups, folds=folds)
    num_images = len(np.unique(train.filenames))
    print(
        f"copies        {num_images:,} images in {int(groups.max()) + 1:,} groups of copies; a "
        "group is in one fold",
        flush=True,
    )
    return out_of_fold.Data(train=train, folds=assigned, validation=validation), groups


def _note(ctx: context.RunContext, *, data: out_of_fold.Data, folds: int) -> dict[str, Any]:
    learnt = soft_targets.fingerprint(data.train, data=ctx.version.fingerprint)
    assigned = hashlib.sha256(data.folds.tobytes()).hexdigest()
    return {"folds": folds, "data": learnt, "assignment": assigned}


def _check_same(output_dir: pathlib.Path, *, note: dict[str, Any]) -> None:
    """Keep a note of which audit this is, and refuse a folder that holds another one, or a run."""
    path = output_dir / NOTE
    if (output_dir / run_config.FILE).exists():
        raise errors.UserError(
            f"{output_dir} holds a run, whose {PREDICTIONS} this audit would replace; give this "
            "audit a folder of its own (--output_dir)"
        )
    output_dir.mkdir(parents=True, exist_ok=True)
    if path.exists():
        try:
            before = untrusted.read_json_object(path)
        except ValueError as error:
            raise errors.UserError(
                f"cannot read {path} as JSON ({error}): restore it from a backup, or give this "
                "audit a folder of its own (--output_dir)"
            ) from None
        if before != note:
            differs = next(name for name in note if before.get(name) != note[name])
            raise errors.UserError(
                f"{output_dir} holds an audit with {differs}={before.get(differs)!s:.40}, and this "
                f"one has {note[differs]!s:.40}; give this audit a folder of its own "
                "(--output_dir)"
            )
    atomic_file.replace(path, content=(json.dumps(note, indent=2) + "\n").encode())


def _write(
    found: findings_lib.Findings,
    *,
    ctx: context.RunContext,
    data: out_of_fold.Data,
    probabilities: np.ndarray,
    asked: options.Audit,
) -> None:
    train, folder = data.train, pathlib.Path(asked.output_dir)
    preds = predictions.Predictions(
        class_names=ctx.version.class_names,
        filenames=train.filenames,
        copies=train.copies,
        labels=train.labels,
        probabilities=probabilities,
    )
    shown = found.found.ranked[: asked.page_suspects]
    numbers = numbers_of(found, filter_by=asked.filter_by, data=ctx.version.name)
    needed = page.images(found, shown=shown)
    pictures = publication.stored_thumbnails(
        ctx.version,
        split=dataclasses.replace(train, positions=train.positions[found.rows]),
        indices=needed,
    )
    contents = {
        PAGE: page.render(found, shown=shown, pictures=pictures, about=_about(ctx, asked=asked)),
        SUSPECTS: label_list.to_csv(suspects(found, split=train.name)),
        PREDICTIONS: predictions.to_csv(preds),
        NUMBERS: json.dumps(numbers, indent=2) + "\n",
    }
    for name, text in contents.items():
        atomic_file.replace(folder / name, content=text.encode("utf-8", errors="replace"))
    json_log.write("audit", output_dir=str(folder), **numbers)
    print(
        f"audited       {numbers['images']:,} images, out-of-fold accuracy "
        f"{numbers['accuracy']:.3f}: {numbers['label_errors']:,} labels are probably wrong "
        f"({numbers['label_errors'] / numbers['images']:.1%})"
    )
    print(f"report        {'  '.join(str(folder / name) for name in contents)}", flush=True)


def numbers_of(found: findings_lib.Findings, *, filter_by: str, data: str) -> dict[str, Any]:
    """Return the content of audit.json."""
    is_error = found.found.is_error
    return {
        "data": data,
        "filter_by": filter_by,
        "images": len(found.labels),
        "accuracy": found.accuracy,
        "label_errors": int(is_error.sum()),
        "label_errors_by_class": {
            name: int(is_error[found.labels == label].sum())
            for label, name in enumerate(found.class_names)
        },
        "confident_joint": found.found.joint.tolist(),
        "groups_with_several_labels": len(found.disagreeing()),
    }


def _about(ctx: context.RunContext, *, asked: options.Audit) -> dict[str, str]:
    drawn = " (drawn faces, not AffectNet)" if ctx.version.is_drawn else ""
    holdout = ctx.settings.selection.holdout_frac
    chosen = f"{holdout:g} of the other folds" if holdout else "validation"
    return {
        "data": f"{ctx.version.name}{drawn}, fingerprint {ctx.version.fingerprint}",
        "networks": f"{asked.folds}, each trained without the fold that it judges, for "
        f"{ctx.settings.training.epochs} epochs; the best epoch chosen on {chosen}",
        "rule": f"confident learning (Northcutt et al. 2021), cleanlab's {asked.filter_by}",
        "score": "probability of the label",
    }
