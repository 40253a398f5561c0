"""Plain-text tables of classification metrics."""

import itertools
import math

from trainer.evaluation import metrics


def table(judgement: metrics.ClassificationMetrics) -> str:
    """Lay the judgement out as plain text: a row a class, the averages, then the single numbers."""
    width = max(len(name) for name in (*judgement.class_names, "balanced accuracy"))
    classes = zip(judgement.class_names, judgement.per_class, strict=True)
    averages = {"macro": judgement.macro, "weighted": judgement.weighted}
    blocks = [
        [f"{'class':<{width}}  precision  recall     F1  support"],
        [_scores_row(name, scores=scores, width=width) for name, scores in classes],
        [""],
        [_scores_row(name, scores=scores, width=width) for name, scores in averages.items()],
        [""],
        [
            f"{name:<{width}}  {value:>9}  {note}".rstrip()
            for name, value, note in _single_numbers(judgement)
        ],
        gaps(judgement),
    ]
    return "\n".join(itertools.chain.from_iterable(blocks))


def _scores_row(name: str, *, scores: metrics.Scores, width: int) -> str:
    precision, recall, f1 = (
        number(value) for value in (scores.precision, scores.recall, scores.f1)
    )
    return f"{name:<{width}}  {precision:>9}  {recall:>6}  {f1:>5}  {scores.support:>7,}"


def number(value: float) -> str:
    """Write a number with three digits after the point, and what is undefined as a dash."""
    return "-" if math.isnan(value) else f"{value:.3f}"


def _single_numbers(judgement: metrics.ClassificationMetrics) -> list[tuple[str, str, str]]:
    pairs = f"{judgement.m_pairs_used} of {judgement.m_pairs_possible} class pairs"
    return [
        ("accuracy", number(judgement.accuracy), f"of {judgement.num_examples:,} examples"),
        ("top-2 accuracy", number(judgement.top2_accuracy), ""),
        ("balanced accuracy", number(judgement.balanced_accuracy), "mean recall of the classes"),
        ("M measure", number(judgement.m_measure), f"over {pairs} (Hand & Till 2001)"),
    ]


def gaps(judgement: metrics.ClassificationMetrics) -> list[str]:
    """Say which classes had no example or were never predicted: lines, the first of them empty."""
    lines = []
    if judgement.absent:
        lines.append(
            f"without examples, so left out of the averages: {', '.join(judgement.absent)}"
        )
    if judgement.never_predicted:
        lines.append(f"never predicted, so of precision 0: {', '.join(judgement.never_predicted)}")
    return ["", *lines] if lines else []


def percent(share: float) -> str:
    """Round to whole percent, but never a few to none nor most to all."""
    if 0 < share < 0.005:
        return "<1%"
    return ">99%" if 0.995 <= share < 1 else f"{share:.0%}"
