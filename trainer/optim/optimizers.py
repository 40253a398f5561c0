"""Optimizers: SGD with momentum, Adam, AdamW and Muon, applied to every replica's variables.

Owns SGD, Adam and Muon as rules over (variable, gradient, slots), the slots, and decoupled weight
decay. Gradients arrive already summed over the replicas, so that the gradient of the whole batch is
clipped; Keras' optimizers were rejected because they clip each replica's share before the sum, and
sum inside `apply` themselves. The arithmetic of SGD and Adam is TensorFlow's own fused operations:
one kernel a variable.
"""

import dataclasses
from collections.abc import Sequence
from typing import Protocol

import tensorflow as tf

from trainer.config import training_config

_ADAMW_DECAY = 0.05
"""Usual for training recent networks from scratch (Liu et al. 2022, arXiv:2201.03545, Table 5)."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class UpdateContext:
    """Learning rate and step of an update."""

    learning_rate: tf.Tensor  # float32[]
    step: tf.Tensor  # int64[], counted from 0
    applies: tf.Tensor | None = None  # bool[], False skips the update; None: never skipped
    skipped: tf.Tensor | None = None  # int64[2], steps skipped so far, as `LossScale` counts them


_ContextTuple = tuple[tf.Tensor, tf.Tensor, tf.Tensor | None, tf.Tensor | None]
"""Fields of an `UpdateContext`: tf.distribute unpacks per-replica values in tuples, not in
dataclasses."""


class Rule(Protocol):
    """Update rule: changes one variable and its slots in place."""

    @property
    def slot_names(self) -> tuple[str, ...]: ...

    def update(
        self,
        variable: tf.Variable,
        *,
        gradient: tf.Tensor,
        slots: Sequence[tf.Variable],
        context: UpdateContext,
    ) -> None: ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sgd:
    """Stochastic gradient descent with momentum: v = m v + g, w = w - lr v.

    Goyal et al. 2017, arXiv:1706.02677, Eq. 9: the learning rate is outside the velocity, as in
    PyTorch, so that a change of it acts at once on what has been gathered. Sutskever et al. 2013
    (Eqs. 1 and 2: v = m v - lr g, w = w + v) and Keras have it inside, which is the same while it
    is constant. With Nesterov momentum w = w - lr (g + m v).
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
        context: UpdateContext,
    ) -> None:
        tf.raw_ops.ResourceApplyMomentum(
            var=variable.handle,
            accum=slots[0].handle,
            lr=context.learning_rate,
            grad=gradient,
            momentum=self.momentum,
            use_nesterov=self.nesterov,
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Muon:
    """Muon for the kernels of convolutions, and SGD with Nesterov momentum for all other variables.

    The step of a kernel, g + m v, as a matrix with a row for each place and channel and a column
    for each filter, is replaced by (about) the nearest matrix whose singular values are 1: no
    direction is learnt faster than another (Jordan et al. 2024,
    https://kellerjordan.github.io/posts/muon). Kernels of depthwise convolutions, which are no
    matrices, take SGD.
    """

    momentum: float
    slot_names: tuple[str, ...] = ("velocity",)

    def update(
        self,
        variable: tf.Variable,
        *,
        gradient: tf.Tensor,
        slots: Sequence[tf.Variable],
        context: UpdateContext,
    ) -> None:
        if variable.shape.rank != 4 or variable.shape[-1] == 1:
            sgd = Sgd(momentum=self.momentum, nesterov=True)
            sgd.update(variable, gradient=gradient, slots=slots, context=context)
            return
        velocity = slots[0].assign(self.momentum * slots[0] + gradient)
        ahead = tf.reshape(gradient + self.momentum * velocity, [-1, variable.shape[-1]])
        step = tf.reshape(_orthogonal(ahead), variable.shape)
        variable.assign_sub(context.learning_rate * step)


def _orthogonal(matrix: tf.Tensor) -> tf.Tensor:
    """Return float[M, N] with the singular vectors of a matrix and singular values near 1.

    Five steps of the Newton-Schulz iteration x = (a + b x x' + c (x x')^2) x with the coefficients
    of Jordan et al., which end between 0.7 and 1.2 and need no exact decomposition. All factors are
    polynomials of the first x x', so they are multiplied with each other and only their product
    with x: a kernel of 3x3 has nine times as many columns as rows, and the iteration on x itself
    takes 2.7 times the multiply-adds.
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = matrix.shape[0] > matrix.shape[1]
    x = tf.transpose(matrix) if tall else matrix
    x /= tf.norm(x) + 1e-7
    gram = tf.matmul(x, x, transpose_b=True)
    identity = tf.eye(gram.shape[0], dtype=x.dtype)
    factor = product = a * identity + b * gram + c * tf.matmul(gram, gram)
    for _ in range(4):
        gram = tf.matmul(tf.matmul(factor, gram), factor)
        factor = a * identity + b * gram + c * tf.matmul(gram, gram)
        product = tf.matmul(factor, product)
    x = tf.matmul(product, x)
    return tf.transpose(x) if tall else x


@dataclasses.dataclass(frozen=True, kw_only=True)
class Adam:
    """Adam (Kingma and Ba 2015, Algorithm 1, in the order of computation of section 2)."""

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
        context: UpdateContext,
    ) -> None:
        mean, square = slots
        count = tf.cast(context.step + 1, tf.float32)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=mean.handle,
            v=square.handle,
            beta1_power=self.beta1**count,
            beta2_power=self.beta2**count,
            lr=context.learning_rate,
            beta1=self.beta1,
            beta2=self.beta2,
            epsilon=self.epsilon,
            grad=gradient,
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Optimizer:
    """Update rule with its variables and their slots, one list of slots a variable.

    Weight decay is decoupled: w = w - lr decay w before the rule (Loshchilov and Hutter 2019,
    arXiv:1711.05101, Algorithms 1 and 2, with the schedule's learning rate for both of their
    factors). It is not applied to biases and normalisation parameters, which are the variables of
    fewer than two axes: they are few and do not overfit.
    """

    rule: Rule
    variables: Sequence[tf.Variable]
    slots: Sequence[Sequence[tf.Variable]]
    first_steps: Sequence[int]
    """First step in which each variable is trained: its own step 0 in Adam's bias correction, which
    counts no skipped steps either."""

    lr_shares: Sequence[float]
    """Share of the learning rate that each variable takes; see `layer_lr`."""

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
            lr_shares=[self.lr_shares[i] for i in kept],
        )

    def apply(self, gradients: Sequence[tf.Tensor], *, context: UpdateContext) -> None:
        """Update all variables; to be called on each replica with the same gradients."""
        tf.distribute.get_replica_context().merge_call(
            self._update_all,
            args=(
                gradients,
                (context.learning_rate, context.step, context.applies, context.skipped),
            ),
        )

    def _update_all(
        self,
        strategy: tf.distribute.Strategy,
        gradients: Sequence[tf.Tensor],
        context: _ContextTuple,
    ) -> None:
        each = zip(
            self.variables, self.slots, self.first_steps, self.lr_shares, gradients, strict=True
        )
        for variable, slots, first, share, gradient in each:
            args = (gradient, slots, first, share, context)
            strategy.extended.update(variable, self._update_one, args=args, group=False)

    def _update_one(
        self,
        variable: tf.Variable,
        gradient: tf.Tensor,
        slots: Sequence[tf.Variable],
        first_step: int,
        lr_share: float,
        context: _ContextTuple,
    ) -> None:
        learning_rate, step, applies, skipped = context
        if lr_share != 1:
            learning_rate *= lr_share
        own_step = step - first_step
        if skipped is not None:
            own_step -= tf.reduce_sum(skipped[1:] if first_step else skipped)

        def update() -> tf.Tensor:
            if self.weight_decay and variable.shape.rank >= 2:
                variable.assign_sub(learning_rate * self.weight_decay * variable)
            self.rule.update(
                variable,
                gradient=gradient,
                slots=slots,
                context=UpdateContext(learning_rate=learning_rate, step=own_step),
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
    lr_shares: Sequence[float] | None = None,
) -> Optimizer:
    """Return the optimizer that a configuration names, with slots of zeros.

    To be called in the strategy's scope.
    """
    sgd = Sgd(momentum=settings.momentum, nesterov=settings.nesterov)
    adam = Adam()
    muon = Muon(momentum=settings.momentum)
    rules: dict[str, Rule] = {"sgd": sgd, "adam": adam, "adamw": adam, "muon": muon}
    rule = rules[settings.optimizer]
    slots = [[_zeros_like(variable) for _ in rule.slot_names] for variable in variables]
    decay = settings.weight_decay
    if decay is None:
        decay = _ADAMW_DECAY if settings.optimizer == "adamw" else 0.0
    return Optimizer(
        rule=rule,
        variables=variables,
        slots=slots,
        first_steps=[0] * len(variables) if first_steps is None else first_steps,
        lr_shares=[1.0] * len(variables) if lr_shares is None else lr_shares,
        weight_decay=decay,
    )


def add_l2(
    gradients: Sequence[tf.Tensor], *, variables: Sequence[tf.Variable], weight: float
) -> Sequence[tf.Tensor]:
    """Add the gradient of weight * (sum of squares of the kernels), 2 weight w.

    Biases and normalisation parameters, which have rank 1, get none. Added after the sum over the
    replicas, so that it is counted once, and not to the loss that is reported, so that this stays
    comparable with validation's.
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
    """Scale gradients that exceed a global norm down to it (Pascanu et al. 2013, Algorithm 1)."""
    return gradients if norm is None else tf.clip_by_global_norm(gradients, norm)[0]


def _zeros_like(variable: tf.Variable) -> tf.Variable:
    return tf.Variable(tf.zeros(variable.shape, variable.dtype), trainable=False)
