"""Text tables of classification metrics, as programs print them.

Owns the layout of the table and how a number and a percentage are written, on pages too.
"""

import itertools
import math

from trainer.evaluation import metrics


def table(classification: metrics.ClassificationMetrics) -> str:
    """Return the metrics as text: a row a class, the averages, then the single numbers."""
    names = classification.class_names
    width = max(len(name) for name in (*names, "balanced accuracy"))
    classes = zip(names, classification.per_class, strict=True)
    averages = {"macro": classification.macro, "weighted": classification.weighted}
    blocks = [
        [f"{'class':<{width}}  precision  recall     F1  support"],
        [_scores_row(name, scores=scores, width=width) for name, scores in classes],
        [""],
        [_scores_row(name, scores=scores, width=width) for name, scores in averages.items()],
        [""],
        [
            f"{name:<{width}}  {value:>9}  {note}".rstrip()
            for name, value, note in _single_numbers(classification)
        ],
        gaps(classification),
    ]
    return "\n".join(itertools.chain.from_iterable(blocks))


def number(value: float) -> str:
    """Return a number with three digits after the point, and a dash for what is undefined."""
    return "-" if math.isnan(value) else f"{value:.3f}"


def percent(share: float) -> str:
    """Return a share in whole percent; only none is 0 % and only all is 100 %."""
    if 0 < share < 0.005:
        return "<1%"
    if 0.995 <= share < 1:
        return ">99%"
    return f"{share:.0%}"


def gaps(classification: metrics.ClassificationMetrics) -> list[str]:
    """Return lines that name classes without examples or predictions; the first one is empty."""
    lines = []
    if classification.absent:
        names = ", ".join(classification.absent)
        lines.append(f"without examples, so left out of the averages: {names}")
    if classification.never_predicted:
        names = ", ".join(classification.never_predicted)
        lines.append(f"never predicted (precision counted as 0): {names}")
    return ["", *lines] if lines else []


def _scores_row(name: str, *, scores: metrics.Scores, width: int) -> str:
    precision = number(scores.precision)
    recall = number(scores.recall)
    f1 = number(scores.f1)
    return f"{name:<{width}}  {precision:>9}  {recall:>6}  {f1:>5}  {scores.support:>7,}"


def _single_numbers(classification: metrics.ClassificationMetrics) -> list[tuple[str, str, str]]:
    c = classification
    pairs = f"{c.m_pairs_used} of {c.m_pairs_possible} class pairs"
    return [
        ("accuracy", number(c.accuracy), f"of {c.num_examples:,} examples"),
        ("top-2 accuracy", number(c.top2_accuracy), ""),
        ("balanced accuracy", number(c.balanced_accuracy), "mean recall of the classes"),
        ("M measure", number(c.m_measure), f"over {pairs} (Hand & Till 2001)"),
    ]
