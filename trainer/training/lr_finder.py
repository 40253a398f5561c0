"""The learning-rate range test: train a little at rising rates and see up to where the loss falls.

Owns the test, its reading and its picture (Smith 2017, arXiv:1506.01186, section 3.3). The rate of
the steepest fall was rejected as the suggestion: on real faces the curve falls evenly over decades,
and noise decides where most.
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

PICTURE = "learning_rate.png"
_LOWEST, _HIGHEST, _STEPS = 1e-6, 10.0, 140
"""Seven decades at twenty steps each."""
_HOPELESS = 3.0
"""The test ends when the smoothed loss is this many times the lowest one."""
_MARGIN = 10.0
"""Suggested is this many times less than the rate of the lowest loss, which is about to diverge
(Howard and Gugger 2020, Deep Learning for Coders with fastai and PyTorch, chapter 5)."""
_SMOOTHING = 0.9


@dataclasses.dataclass(frozen=True, kw_only=True)
class RangeTest:
    """What a test found: the rate of each step, its smoothed loss, and the rate of the lowest one."""

    rates: np.ndarray  # float64[N]
    losses: np.ndarray  # float64[N]
    lowest: float

    @property
    def suggestion(self) -> float:
        return self.lowest / _MARGIN


def run(network: keras.Model, *, ctx: context.RunContext, train: examples.Split) -> None:
    """Test, print what to use, and draw the loss over the rates into the model folder."""
    reading = read(*_measure(network, ctx=ctx, train=train))
    path = pathlib.Path(ctx.settings.run.model_dir) / PICTURE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(figures.png(draw(reading, optimizer=ctx.settings.optimization.optimizer)))
    tried = f"{len(reading.rates)} steps from {reading.rates[0]:.0e} to {reading.rates[-1]:.0e}"
    print(f"rates         {tried}; the loss is lowest at {reading.lowest:.1e}")
    print(
        f"suggestion    --learning_rate={reading.suggestion:.1e}, a tenth of that  (--find_lr; nothing kept)"
    )
    print(f"look at       {path}", flush=True)


def read(rates: np.ndarray, losses: np.ndarray) -> RangeTest:
    """Smooth the losses, up to where they are hopeless, and find the rate of the lowest.

    The smoothing is an exponential average, freed from its start at 0 (Kingma and Ba 2015, section
    3).
    """
    average, smooth = 0.0, []
    for count, loss in enumerate(losses, start=1):
        average = _SMOOTHING * average + (1 - _SMOOTHING) * loss
        smooth.append(average / (1 - _SMOOTHING**count))
        if not math.isfinite(smooth[-1]) or smooth[-1] > _HOPELESS * min(smooth):
            smooth.pop()
            break
    values, tried = np.array(smooth), rates[: len(smooth)]
    return RangeTest(rates=tried, losses=values, lowest=float(tried[np.argmin(values)]))


def draw(reading: RangeTest, *, optimizer: str) -> figure.Figure:
    """Draw the smoothed loss over the rate, with the suggestion."""
    drawing = figure.Figure(figsize=(7, 4.2), layout="constrained", dpi=figures.DPI)
    ax = drawing.add_subplot()
    ax.plot(reading.rates, reading.losses, color="#0072B2")
    ax.axvline(
        reading.suggestion,
        color="#D55E00",
        linestyle="--",
        label=f"suggested, {reading.suggestion:.1e}",
    )
    ax.axvline(
        reading.lowest, color="#666666", linestyle=":", label=f"lowest loss, {reading.lowest:.1e}"
    )
    low, high = reading.losses.min(), reading.losses[: np.argmin(reading.losses) + 1].max()
    ax.set_ylim(
        low - 0.2 * (high - low + 0.1), high + 0.6 * (high - low + 0.1)
    )  # What diverges leaves the picture.
    ax.set_xscale("log")
    ax.set_xlabel(f"learning rate ({optimizer})")
    ax.set_ylabel("training loss, smoothed")
    ax.set_title("learning-rate range test")
    ax.grid(color="#dddddd", linewidth=0.8)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(loc="lower left", frameon=False)
    return drawing


def rising(step: tf.Tensor) -> tf.Tensor:
    """Return the rate of a step, from the lowest to the highest in equal factors."""
    return _LOWEST * (_HIGHEST / _LOWEST) ** (tf.cast(step, tf.float32) / (_STEPS - 1))


def _measure(
    network: keras.Model, *, ctx: context.RunContext, train: examples.Split
) -> tuple[np.ndarray, np.ndarray]:
    program = setup.build_train_step(network, ctx=ctx, split=train, rate_of=rising)
    calls = train_input.step_groups(_long_enough(ctx, num_examples=train.num_examples), split=train)
    program.compile(calls.element_spec)
    losses: list[float] = []
    while len(losses) < _STEPS and (not losses or _is_hopeful(losses)):
        sums = program.train(next(calls), first_step=len(losses))
        losses += (sums[:, 0] / sums[:, 2]).tolist()
    found = np.array(losses[:_STEPS])
    return np.array([program.rate(step) for step in range(len(found))]), found


def _long_enough(ctx: context.RunContext, *, num_examples: int) -> context.RunContext:
    settings = ctx.settings
    epochs = -(-_STEPS // ctx.shape.num_steps(num_examples)) + 1
    training = dataclasses.replace(settings.training, epochs=epochs)
    return dataclasses.replace(ctx, settings=dataclasses.replace(settings, training=training))


def _is_hopeful(losses: list[float]) -> bool:
    return math.isfinite(losses[-1]) and losses[-1] < 10 * _HOPELESS * min(losses)
