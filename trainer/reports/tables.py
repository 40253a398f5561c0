"""Text tables of classification metrics, as programs print them.

Owns the layout of the table.
"""

import itertools

from trainer.evaluation import metrics
from webpage import numbers


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
    precision = numbers.number(scores.precision)
    recall = numbers.number(scores.recall)
    f1 = numbers.number(scores.f1)
    return f"{name:<{width}}  {precision:>9}  {recall:>6}  {f1:>5}  {scores.support:>7,}"


def _single_numbers(classification: metrics.ClassificationMetrics) -> list[tuple[str, str, str]]:
    c = classification
    pairs = f"{c.m_pairs_used} of {c.m_pairs_possible} class pairs"
    return [
        ("accuracy", numbers.number(c.accuracy), f"of {c.num_examples:,} examples"),
        ("top-2 accuracy", numbers.number(c.top2_accuracy), ""),
        ("balanced accuracy", numbers.number(c.balanced_accuracy), "mean recall of the classes"),
        ("M measure", numbers.number(c.m_measure), f"over {pairs} (Hand & Till 2001)"),
    ]
