"""Benchmark of the numbers by group: how often a planted bias is found, and none is found in vain.

python -m benchmarks.group_bias draws `--trials` evaluations of `--examples` images of eight classes
from a classifier that is `--points` points less accurate on one group, of each share in `--shares`,
and as many of one that is equally accurate on all groups. Each has three attributes, whose groups
have other classes than one another, so that their accuracies differ without a bias. It prints a
Markdown table of how often the attribute with the bias is said to differ, how often one without a
bias is, and how often the interval of the largest gap holds the true one. Seeded: the same flags
print the same.

With `--predictions=predictions.csv --groups_csv=attributes.csv --group=skin:dark --output=FILE` it
plants a bias of `--points` in the predictions of a run, which trainer.evaluate then takes.
"""

import dataclasses
import pathlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from absl import flags

from benchmarks import command_line
from trainer.evaluation import predictions
from trainer.evaluation.groups import attribute_list, attributes, group_results

TRIALS = flags.DEFINE_integer("trials", 100, "evaluations that are drawn of each kind")
EXAMPLES = flags.DEFINE_integer("examples", 4000, "images of an evaluation")
POINTS = flags.DEFINE_float("points", 10.0, "how much less accurate the group is, in points")
SHARES = flags.DEFINE_list("shares", ["0.5", "0.25", "0.15", "0.1"], "shares of the biased group")
SEED = flags.DEFINE_integer("seed", 0, "seed of all draws")
PREDICTIONS = flags.DEFINE_string("predictions", None, "predictions of a run to plant a bias in")
GROUPS_CSV = flags.DEFINE_string("groups_csv", None, "list of the attributes of its images")
GROUP = flags.DEFINE_string("group", "skin:dark", "attribute and group that the bias is against")
OUTPUT = flags.DEFINE_string("output", None, "predictions to write, with the bias")

CLASS_ACCURACY = np.array((0.55, 0.78, 0.62, 0.6, 0.62, 0.52, 0.58, 0.5))
"""Of a network on AffectNet's eight classes."""

AGE_SHARES = (0.1, 0.5, 0.28, 0.12)
REGION_SHARES = (0.6, 0.2, 0.12, 0.08)


class Evaluation(NamedTuple):
    """An evaluation, and its attributes; the bias is in the first group of the first of them."""

    preds: predictions.Predictions
    given: tuple[attributes.Attribute, ...]


def draw(*, num_examples: int, share: float, bias: float, rng: np.random.Generator) -> Evaluation:
    """Draw an evaluation.

    Args:
      num_examples: images.
      share: of the group that may have a bias.
      bias: by how much its accuracy is lower, in every class; 0: no bias.
      rng: of all draws.
    """
    num_classes = len(CLASS_ACCURACY)
    labels = rng.integers(num_classes, size=num_examples)
    biased = rng.random(num_examples) < share
    # Happy and neutral faces are older here: accuracy by age differs, and nobody is served worse.
    age = rng.choice(len(AGE_SHARES), p=AGE_SHARES, size=num_examples)
    age = np.where((labels < 2) & (rng.random(num_examples) < 0.3), len(AGE_SHARES) - 1, age)
    region = rng.choice(len(REGION_SHARES), p=REGION_SHARES, size=num_examples)
    correct = rng.random(num_examples) < CLASS_ACCURACY[labels] - bias * biased
    wrong = (labels + rng.integers(1, num_classes, size=num_examples)) % num_classes
    probs = np.full((num_examples, num_classes), 0.4 / (num_classes - 1))
    probs[np.arange(num_examples), np.where(correct, labels, wrong)] = 0.6
    preds = predictions.Predictions(
        class_names=tuple(f"class{k}" for k in range(num_classes)),
        filenames=np.array([f"{n}.jpg" for n in range(num_examples)]),
        copies=np.zeros(num_examples, np.int64),
        labels=labels,
        probabilities=probs,
    )
    codes = {"gender": np.where(biased, 0, 1), "age": age, "region": region}
    given = tuple(
        attributes.Attribute(
            name=name, groups=tuple(f"{name}{k}" for k in range(codes.max() + 1)), codes=codes
        )
        for name, codes in codes.items()
    )
    return Evaluation(preds, given)


class Found(NamedTuple):
    """What is said of an evaluation."""

    planted: bool  # the attribute that may have the bias is said to differ
    in_vain: bool  # an attribute or intersection without a bias is
    holds: bool  # the interval of the largest gap of the first attribute holds the true one


def judged(evaluation: Evaluation, *, bias: float) -> Found:
    """Compare the groups, as trainer.evaluate does."""
    found = group_results.compare(evaluation.preds, evaluation.given)
    name = evaluation.given[0].name
    first = found.divisions[0]
    assert first.measured
    gap = first.measured.of_adjusted
    sign = 1 if gap.worst == 0 else -1  # Of the true difference, best less worst.
    return Found(
        planted=first.differs,
        in_vain=any(each.differs for each in found.divisions if not (bias and name in each.name)),
        holds=gap.interval.low <= sign * bias <= gap.interval.high,
    )


def trials(*, share: float, bias: float, rng: np.random.Generator) -> Iterator[Found]:
    """Draw and evaluate."""
    for _ in range(TRIALS.value):
        drawn = draw(num_examples=EXAMPLES.value, share=share, bias=bias, rng=rng)
        yield judged(drawn, bias=bias)


def planted(
    preds: predictions.Predictions, *, of_group: np.ndarray, points: float, rng: np.random.Generator
) -> predictions.Predictions:
    """Return predictions whose accuracy on a group is lower by so many points: correct answers,
    drawn at random, have the probabilities of the two likeliest classes exchanged.

    Args:
      preds: N examples.
      of_group: bool[N].
      points: 0 to 100, of the group's examples.
      rng: of the draw.
    """
    correct = np.flatnonzero(of_group & (preds.predicted == preds.labels))
    count = round(points / 100 * int(of_group.sum()))
    if count > len(correct):
        raise ValueError(
            f"only {len(correct)} of the group's {of_group.sum()} answers are correct: {count} "
            "cannot be made wrong"
        )
    wrong = rng.choice(correct, size=count, replace=False)
    probs = preds.probabilities.copy()
    second, first = np.argsort(probs[wrong], axis=1)[:, -2:].T
    probs[wrong, first], probs[wrong, second] = probs[wrong, second], probs[wrong, first]
    return dataclasses.replace(preds, probabilities=probs)


def plant() -> None:
    """Write the predictions of a run with a bias."""
    preds = predictions.read(pathlib.Path(PREDICTIONS.value))
    listed = attribute_list.read(pathlib.Path(GROUPS_CSV.value))
    texts = attribute_list.match(listed, filenames=preds.filenames, split="the predictions")
    name, _, group = GROUP.value.partition(":")
    of_group = texts[name] == group
    rng = np.random.default_rng(SEED.value)
    biased = planted(preds, of_group=of_group, points=POINTS.value, rng=rng)
    pathlib.Path(OUTPUT.value).write_text(predictions.to_csv(biased), encoding="utf-8")
    correct, now = ((each.predicted == each.labels)[of_group] for each in (preds, biased))
    print(
        f"{name} {group}: {correct.sum()} of {len(now)} images correct, {now.sum()} with the bias "
        f"(accuracy {correct.mean():.3f}, {now.mean():.3f})"
    )


def main(argv: Sequence[str]) -> None:
    """Measure, and print a table; or plant a bias."""
    if PREDICTIONS.value:
        plant()
        return
    rng = np.random.default_rng(SEED.value)
    count = TRIALS.value
    print("| share of the group | bias | found | found in vain | interval of the gap holds it |")
    print("|---|---|---|---|---|")
    for share in map(float, SHARES.value):
        for bias in (POINTS.value / 100, 0.0):
            found = np.array([*trials(share=share, bias=bias, rng=rng)])
            planted, in_vain, holds = found.sum(axis=0)
            print(
                f"| {share:.0%} | {100 * bias:g} points "
                f"| {f'{planted} of {count}' if bias else '-'} | {in_vain} of {count} "
                f"| {holds} of {count} |",
                flush=True,
            )


if __name__ == "__main__":
    command_line.run(main)
