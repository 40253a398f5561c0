"""Learning-rate range test: trains at rising learning rates and suggests one (--find_lr).

Owns the test, its evaluation and its chart (Smith 2017, arXiv:1506.01186, section 3.3). Suggesting
the learning rate where the loss falls fastest was rejected: on real faces the curve falls evenly
over decades, and noise decides where it is steepest.
"""

import dataclasses
import math
import pathlib

import keras
import numpy as np
import tensorflow as tf
from matplotlib import figure

from trainer.data import examples
from trainer.reports import figures
from trainer.run import context
from trainer.training import setup, train_input

CHART_FILE = "learning_rate.png"
_LOWEST = 1e-6
_HIGHEST = 10.0
_STEPS = 140
"""Seven decades at twenty steps each."""
_DIVERGED = 3.0
"""The test ends when the smoothed loss is this many times the lowest one."""
_MARGIN = 10.0
"""The suggestion is this many times less than the learning rate of the lowest loss, where training
is about to diverge (Howard and Gugger 2020, Deep Learning for Coders with fastai and PyTorch,
chapter 5)."""
_SMOOTHING = 0.9


@dataclasses.dataclass(frozen=True, kw_only=True)
class RangeTest:
    """Result of a test: each step's learning rate and smoothed loss, and the best learning rate."""

    learning_rates: np.ndarray  # float64[N]
    losses: np.ndarray  # float64[N]
    best: float

    @property
    def suggestion(self) -> float:
        """Return the learning rate to train with."""
        return self.best / _MARGIN


def run(network: keras.Model, *, ctx: context.RunContext, train: examples.Split) -> None:
    """Run the test, print the suggestion, and draw the loss into the model folder."""
    learning_rates, losses = _measure(network, ctx=ctx, train=train)
    result = evaluate(learning_rates, losses)
    path = pathlib.Path(ctx.settings.run.model_dir) / CHART_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(figures.png(draw(result, optimizer=ctx.settings.optimization.optimizer)))
    first, last = result.learning_rates[0], result.learning_rates[-1]
    print(
        f"range test    {len(result.learning_rates)} steps from {first:.0e} to {last:.0e}; "
        f"the loss is lowest at {result.best:.1e}"
    )
    print(
        f"suggestion    --learning_rate={result.suggestion:.1e}, a tenth of that  "
        "(--find_lr; nothing kept)"
    )
    print(f"chart         {path}", flush=True)


def evaluate(learning_rates: np.ndarray, losses: np.ndarray) -> RangeTest:
    """Smooth the losses up to where they diverge, and find the learning rate of the lowest.

    The smoothing is an exponential average with bias correction (Kingma and Ba 2015, section 3).
    """
    average = 0.0
    smooth: list[float] = []
    for count, loss in enumerate(losses, start=1):
        average = _SMOOTHING * average + (1 - _SMOOTHING) * loss
        smooth.append(average / (1 - _SMOOTHING**count))
        if not math.isfinite(smooth[-1]) or smooth[-1] > _DIVERGED * min(smooth):
            smooth.pop()
            break
    values = np.array(smooth)
    tried = learning_rates[: len(smooth)]
    return RangeTest(learning_rates=tried, losses=values, best=float(tried[np.argmin(values)]))


def draw(result: RangeTest, *, optimizer: str) -> figure.Figure:
    """Draw the smoothed loss over the learning rate, with the suggestion."""
    chart = figure.Figure(figsize=(7, 4.2), layout="constrained", dpi=figures.DPI)
    ax = chart.add_subplot()
    ax.plot(result.learning_rates, result.losses, color="#0072B2")
    suggested = f"suggested, {result.suggestion:.1e}"
    ax.axvline(result.suggestion, color="#D55E00", linestyle="--", label=suggested)
    ax.axvline(result.best, color="#666666", linestyle=":", label=f"lowest loss, {result.best:.1e}")
    # The limits leave out the steep rise at the end, where training diverges.
    low = result.losses.min()
    high = result.losses[: np.argmin(result.losses) + 1].max()
    margin = high - low + 0.1
    ax.set_ylim(low - 0.2 * margin, high + 0.6 * margin)
    ax.set_xscale("log")
    ax.set_xlabel(f"learning rate ({optimizer})")
    ax.set_ylabel("training loss, smoothed")
    ax.set_title("learning-rate range test")
    ax.grid(color="#dddddd", linewidth=0.8)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(loc="lower left", frameon=False)
    return chart


def rising(step: tf.Tensor) -> tf.Tensor:
    """Return the learning rate of a step, from the lowest to the highest in equal factors."""
    return _LOWEST * (_HIGHEST / _LOWEST) ** (tf.cast(step, tf.float32) / (_STEPS - 1))


def _measure(
    network: keras.Model, *, ctx: context.RunContext, train: examples.Split
) -> tuple[np.ndarray, np.ndarray]:
    """Return the learning rate and the loss of each step taken."""
    train_step = setup.build_train_step(network, ctx=ctx, split=train, schedule=rising)
    groups = train_input.step_groups(
        _with_enough_epochs(ctx, num_examples=train.num_examples), split=train
    )
    train_step.compile(groups.element_spec)
    losses: list[float] = []
    while len(losses) < _STEPS and not _has_diverged(losses):
        sums = train_step.train(next(groups), first_step=len(losses))
        losses += (sums[:, 0] / sums[:, 2]).tolist()
    losses = losses[:_STEPS]
    learning_rates = [train_step.learning_rate(step) for step in range(len(losses))]
    return np.array(learning_rates), np.array(losses)


def _with_enough_epochs(ctx: context.RunContext, *, num_examples: int) -> context.RunContext:
    settings = ctx.settings
    epochs = -(-_STEPS // ctx.layout.num_steps(num_examples)) + 1
    training = dataclasses.replace(settings.training, epochs=epochs)
    return dataclasses.replace(ctx, settings=dataclasses.replace(settings, training=training))


def _has_diverged(losses: list[float]) -> bool:
    """Return whether to stop early.

    At ten times the limit of `evaluate`, as these losses are not smoothed.
    """
    if not losses:
        return False
    return not math.isfinite(losses[-1]) or losses[-1] >= 10 * _DIVERGED * min(losses)
