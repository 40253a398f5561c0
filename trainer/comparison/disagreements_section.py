"""Images on which runs disagree: how many there are, and a grid of each group of them."""

from collections.abc import Mapping, Sequence

import webpage.page
from trainer.comparison import disagreements
from trainer.evaluation import predictions
from trainer.reports import thumbnails
from webpage import markup, numbers

_NOTE = "Of each group, the images that all runs are surest of; copies of an image are shown once."


def section(
    names: Sequence[str], preds: disagreements.Aligned, *, images: Mapping[int, bytes], missing: str
) -> list[markup.Content]:
    """Show the groups of examples that the runs classify differently.

    Args:
      names: of the runs.
      preds: theirs, aligned.
      images: JPEG files by row; an example without one is shown by its name.
      missing: why there are no images, a sentence; "" where there are.
    """
    different = int(disagreements.is_different(preds).sum())
    count = len(preds[0].labels)
    if not different:
        return [markup.element("p", f"The runs predict the same class of all {count:,} examples.")]
    found = disagreements.groups(preds)
    shown = found[: disagreements.MOST_GROUPS]
    sentence = (
        f"Of {different:,} of {count:,} examples ({numbers.percent(different / count)}) the runs "
        "predict different classes."
    )
    if len(shown) < len(found):
        sentence += f" The {len(shown)} largest of {len(found)} groups are shown."
    return [
        markup.element("p", sentence),
        markup.element("p", missing) if missing else None,
        webpage.page.note(_NOTE),
        [_group(group, names, preds, images) for group in shown],
    ]


def title(group: disagreements.Group, names: Sequence[str]) -> str:
    """Return who is correct in a group."""
    if not group.correct:
        return "All wrong, in different ways"
    correct = [name for k, name in enumerate(names) if k in group.correct]
    wrong = [name for k, name in enumerate(names) if k not in group.correct]
    if len(correct) > 1 and len(wrong) == 1:
        return f"Only {wrong[0]} is wrong"
    return f"Only {_listed(correct)} {'is' if len(correct) == 1 else 'are'} correct"


def _group(
    group: disagreements.Group,
    names: Sequence[str],
    preds: disagreements.Aligned,
    images: Mapping[int, bytes],
) -> list[markup.Markup]:
    figures = [_example(row, names, preds, images.get(row)) for row in group.shown.tolist()]
    return [
        markup.element("h3", f"{title(group, names)}: {group.count:,}"),
        webpage.page.grid(figures, kind="pictures"),
    ]


def _example(
    row: int, names: Sequence[str], preds: disagreements.Aligned, jpeg: bytes | None
) -> markup.Markup:
    first = preds[0]
    truth = first.class_names[first.labels[row]]
    file = str(first.filenames[row])
    image = None
    if jpeg:
        side = thumbnails.SIDE
        image = markup.image(jpeg, alt=f"annotated as {truth}", width=side, height=side)
    return markup.element(
        "figure",
        image,
        markup.element("p", f"truth: {truth}", class_="prediction"),
        [_answer(name, each, row) for name, each in zip(names, preds, strict=True)],
        markup.name_of_file(thumbnails.short_name(file)),
        title=file,
    )


def _answer(name: str, preds: predictions.Predictions, row: int) -> markup.Markup:
    """Return a run's prediction; a correct one is marked, and not by its colour alone."""
    predicted = preds.class_names[preds.predicted[row]]
    text = f"{predicted}\N{NO-BREAK SPACE}{preds.confidence[row]:.0%}"
    is_correct = preds.predicted[row] == preds.labels[row]
    return markup.element(
        "p",
        f"{name}: ",
        markup.element("b", f"{text}\N{NO-BREAK SPACE}✓") if is_correct else text,
        class_="prediction",
    )


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
