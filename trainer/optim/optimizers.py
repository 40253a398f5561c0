"""Update rules, and their application to the copies of every variable.

Owns SGD and Adam as rules over (variable, gradient, slots), the slots, and decoupled weight decay.
Gradients arrive already added up over the replicas, so that clipping sees the gradient of the whole
batch; Keras' optimizers were rejected because they clip each replica's share before the addition,
and add up inside `apply` themselves. The arithmetic is TensorFlow's own fused operations: one
kernel a variable.
"""

import dataclasses
from collections.abc import Sequence
from typing import Protocol

import tensorflow as tf

from trainer.config import training_config

_ADAMW_DECAY = 0.05
"""As from-scratch recipes of recent networks have it (Liu et al. 2022, arXiv:2201.03545, Table 5).
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class UpdateContext:
    """Where in the run an update stands."""

    rate: tf.Tensor  # float32[]: the learning rate of this step
    step: tf.Tensor  # int64[]: counted from 0
    applies: tf.Tensor | None = None  # bool[]: whether there is an update at all; None: always


_Moment = tuple[tf.Tensor, tf.Tensor, tf.Tensor | None]
"""The fields of a `UpdateContext`: tf.distribute takes apart tuples of what differs between
replicas, not dataclasses."""


class Rule(Protocol):
    """Change one variable and its slots in place."""

    @property
    def slot_names(self) -> tuple[str, ...]: ...

    def update(
        self,
        variable: tf.Variable,
        *,
        gradient: tf.Tensor,
        slots: Sequence[tf.Variable],
        at: UpdateContext,
    ) -> None: ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sgd:
    """Gradient descent with momentum: v = m v + g, w = w - rate v (Sutskever et al. 2013, Eqs. 1
    and 2).

    Nesterov's way takes w = w - rate (g + m v) instead (section 2.1, in the variables of Bengio et
    al. 2013, arXiv:1212.0901, Eq. 7).
    """

    momentum: float
    nesterov: bool = False
    slot_names: tuple[str, ...] = ("velocity",)

    def update(
        self,
        variable: tf.Variable,
        *,
        gradient: tf.Tensor,
        slots: Sequence[tf.Variable],
        at: UpdateContext,
    ) -> None:
        tf.raw_ops.ResourceApplyMomentum(
            var=variable.handle,
            accum=slots[0].handle,
            lr=at.rate,
            grad=gradient,
            momentum=self.momentum,
            use_nesterov=self.nesterov,
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Adam:
    """Adam (Kingma and Ba 2015, Algorithm 1, with the order of computation of section 2) and its
    constants."""

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    slot_names: tuple[str, ...] = ("mean", "square")

    def update(
        self,
        variable: tf.Variable,
        *,
        gradient: tf.Tensor,
        slots: Sequence[tf.Variable],
        at: UpdateContext,
    ) -> None:
        mean, square = slots
        count = tf.cast(at.step + 1, tf.float32)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=mean.handle,
            v=square.handle,
            beta1_power=self.beta1**count,
            beta2_power=self.beta2**count,
            lr=at.rate,
            beta1=self.beta1,
            beta2=self.beta2,
            epsilon=self.epsilon,
            grad=gradient,
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Optimizer:
    """A rule with the variables it changes and their slots, one list of slots a variable.

    Weight decay is decoupled: w = w - rate decay w before the rule (Loshchilov and Hutter 2019,
    arXiv:1711.05101, Algorithms 1 and 2, with the schedule's rate for both of their factors). It is
    spared biases and scales, which are the variables of fewer than two axes: they are few and do
    not overfit.
    """

    rule: Rule
    variables: Sequence[tf.Variable]
    slots: Sequence[Sequence[tf.Variable]]
    first_steps: Sequence[int]
    """The step in which each variable is changed first: its own step 0, by which Adam corrects its
    averages."""

    weight_decay: float = 0.0

    def only(self, variables: Sequence[tf.Variable]) -> "Optimizer":
        """Return the optimizer of some of the variables, with the same slots."""
        wanted = {id(variable) for variable in variables}
        kept = [i for i, variable in enumerate(self.variables) if id(variable) in wanted]
        return dataclasses.replace(
            self,
            variables=[self.variables[i] for i in kept],
            slots=[self.slots[i] for i in kept],
            first_steps=[self.first_steps[i] for i in kept],
        )

    def apply(self, gradients: Sequence[tf.Tensor], *, at: UpdateContext) -> None:
        """Update every copy of every variable; to be called on each replica with the same
        gradients."""

        tf.distribute.get_replica_context().merge_call(
            self._update_all, args=(gradients, (at.rate, at.step, at.applies))
        )

    def _update_all(
        self, strategy: tf.distribute.Strategy, gradients: Sequence[tf.Tensor], at: _Moment
    ) -> None:
        rate, step, applies = at
        each = zip(self.variables, self.slots, self.first_steps, gradients, strict=True)
        for variable, slots, first, gradient in each:
            own = (rate, step - first, applies)
            strategy.extended.update(
                variable, self._update_one, args=(gradient, slots, own), group=False
            )

    def _update_one(
        self,
        variable: tf.Variable,
        gradient: tf.Tensor,
        slots: Sequence[tf.Variable],
        at: _Moment,
    ) -> None:
        rate, step, applies = at

        def update() -> tf.Tensor:
            if self.weight_decay and variable.shape.rank >= 2:
                variable.assign_sub(rate * self.weight_decay * variable)
            self.rule.update(
                variable, gradient=gradient, slots=slots, at=UpdateContext(rate=rate, step=step)
            )
            return tf.constant(True)

        if applies is None:
            update()
        else:
            tf.cond(applies, update, lambda: tf.constant(False))


def make(
    settings: training_config.Optimization,
    *,
    variables: Sequence[tf.Variable],
    first_steps: Sequence[int] | None = None,
) -> Optimizer:
    """Return the optimizer a configuration names, with fresh slots; to be called in the strategy's
    scope."""
    sgd, adam = Sgd(momentum=settings.momentum, nesterov=settings.nesterov), Adam()
    rules: dict[str, Rule] = {"sgd": sgd, "adam": adam, "adamw": adam}
    rule = rules[settings.optimizer]
    slots = [[_zeros_like(variable) for _ in rule.slot_names] for variable in variables]
    usual = _ADAMW_DECAY if settings.optimizer == "adamw" else 0.0
    decay = usual if settings.weight_decay is None else settings.weight_decay
    starts = first_steps if first_steps is not None else [0] * len(variables)
    return Optimizer(
        rule=rule, variables=variables, slots=slots, first_steps=starts, weight_decay=decay
    )


def add_l2(
    gradients: Sequence[tf.Tensor], *, variables: Sequence[tf.Variable], weight: float
) -> Sequence[tf.Tensor]:
    """Add the gradient of weight * (sum of squares of the kernels), 2 weight w; biases and scales
    have rank 1 and none.

    Added after the sum over the replicas, so that it is counted once, and not to the loss that is
    shown, so that this stays comparable with validation's.
    """
    if weight == 0:
        return gradients
    return [
        gradient + 2 * weight * tf.convert_to_tensor(variable)
        if variable.shape.rank > 1
        else gradient
        for gradient, variable in zip(gradients, variables, strict=True)
    ]


def clip(gradients: Sequence[tf.Tensor], *, norm: float | None) -> Sequence[tf.Tensor]:
    """Scale gradients down to a global norm, where they exceed it (Pascanu et al. 2013, Algorithm
    1)."""
    return gradients if norm is None else tf.clip_by_global_norm(gradients, norm)[0]


def _zeros_like(variable: tf.Variable) -> tf.Variable:
    return tf.Variable(tf.zeros(variable.shape, variable.dtype), trainable=False)
