"""Dry run: prints network, cost, shapes, steps and memory of a run, and draws its first batch.

Owns what --dry_run prints, and the estimate of memory. Measuring the memory in a step was rejected:
the point is to know before the machine that would have to hold it is there.
"""

import math
import pathlib

import keras

from runtime import machine
from trainer.data import examples
from trainer.models import factory
from trainer.monitoring import batch_preview
from trainer.run import context
from trainer.training import setup, train_input
from trainer.training import train_step as train_step_lib

IMAGE_FILE = "first_batch.png"
_BUFFERED_GROUPS = 3
"""Step groups that are on a device at once: the current one and those fetched ahead."""
_FLOAT_COPIES = 2
"""Float copies of a step's images: as decoded, and augmented."""


def run(network: keras.Model, *, ctx: context.RunContext, train: examples.Split) -> None:
    """Print what a run would be, and draw its first batch into the model folder."""
    train_step = setup.build_train_step(network, ctx=ctx, split=train)
    for line in (
        *layers(network),
        cost(network),
        *steps(ctx, num_examples=train.num_examples),
        *memory(train_step, ctx=ctx),
    ):
        print(line)
    needed = _BUFFERED_GROUPS * _group_bytes(ctx)
    if needed > (free := machine.free_bytes()):
        print(
            f"first batch   not drawn: its images take about {_size(needed)}, and this machine has "
            f"{_size(free)} free; a smaller --batch_size would fit\nnothing trained (--dry_run)",
            flush=True,
        )
        return
    group = next(iter(train_input.step_groups(ctx, split=train)))
    parts = train_step.first_microbatches(group)
    path = pathlib.Path(ctx.settings.run.model_dir) / IMAGE_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(batch_preview.draw(parts, class_names=ctx.version.class_names))
    print(f"first batch   {path}\nnothing trained (--dry_run)", flush=True)


def layers(network: keras.Model) -> list[str]:
    """Return one line per layer: name, output shape, number of parameters."""
    rows = [
        (layer.name, " x ".join(map(str, layer.output.shape[1:])), f"{layer.count_params():,}")
        for layer in network.layers
    ]
    names = max(len(name) for name, _, _ in rows)
    shapes = max(len(shape) for _, shape, _ in rows)
    header = f"  {'layer':<{names}}  {'output':<{shapes}}  parameters"
    return [header] + [
        f"  {name:<{names}}  {shape:<{shapes}}  {parameters:>10}"
        for name, shape, parameters in rows
    ]


def cost(network: keras.Model) -> str:
    """Return the line on the arithmetic of the network."""
    return f"cost          {factory.cost(network)}"


def steps(ctx: context.RunContext, *, num_examples: int) -> list[str]:
    """Return the lines on steps, epochs and batch shapes."""
    layout = ctx.layout
    epochs = ctx.settings.training.epochs
    size = ctx.image_size
    per_replica = layout.batch_size // layout.num_replicas
    per_epoch = layout.num_steps(num_examples)
    last = num_examples % layout.batch_size or layout.batch_size
    split = ""
    if layout.num_microbatches > 1:
        share = per_replica // layout.num_microbatches
        split = f", in {layout.num_microbatches} microbatches of {share}"
    return [
        f"steps         {per_epoch:,} an epoch of {num_examples:,} images, the last of {last}; "
        f"{per_epoch * epochs:,} in {epochs} epochs",
        f"batch         uint8 [{per_replica}, {size}, {size}, 3] on each of "
        f"{layout.num_replicas} replicas{split}",
    ]


def memory(train_step: train_step_lib.TrainStep, *, ctx: context.RunContext) -> list[str]:
    """Return the line on the memory that training takes on each replica."""
    rows = estimate(train_step, ctx=ctx)
    listed = ", ".join(f"{name} {_size(count)}" for name, count in rows.items())
    return [f"memory        about {_size(sum(rows.values()))} a replica: {listed}"]


def estimate(train_step: train_step_lib.TrainStep, *, ctx: context.RunContext) -> dict[str, int]:
    """Return bytes on a replica by what takes them.

    Activations are every layer's output for one microbatch, held until backpropagation has used it;
    the workspace of convolutions, which depends on the device, is not included.
    """
    layout = ctx.layout
    has_sam = bool(ctx.settings.optimization.sam_rho)
    weights = sum(_bytes(variable) for variable in train_step.model.variables)
    trained = sum(_bytes(variable) for variable in train_step.optimizer.variables)
    slots = sum(_bytes(slot) for slots in train_step.optimizer.slots for slot in slots)
    per_replica = layout.batch_size // layout.num_replicas
    pixels = per_replica * ctx.image_size**2 * 3
    # SAM keeps the weights that it climbs from.
    weight_copies = 1 + (train_step.average is not None) + has_sam
    gradient_copies = 2 if layout.num_microbatches > 1 or has_sam else 1
    activations = sum(map(_activation_bytes, train_step.model.layers))
    image_bytes = _BUFFERED_GROUPS * layout.steps_per_execution + 4 * _FLOAT_COPIES
    return {
        "weights": weights * weight_copies,
        "gradients": trained * gradient_copies,
        "optimizer": slots,
        "activations": per_replica // layout.num_microbatches * activations,
        "images": pixels * image_bytes,
    }


def _group_bytes(ctx: context.RunContext) -> int:
    """Return the bytes of the images of one step group, over all replicas."""
    steps = ctx.layout.steps_per_execution
    return steps * ctx.layout.batch_size * ctx.image_size**2 * 3


def _activation_bytes(layer: keras.Layer) -> int:
    outputs = layer.output if isinstance(layer.output, list) else [layer.output]
    size = 2 if layer.compute_dtype in ("float16", "bfloat16") else 4
    return sum(size * math.prod(output.shape[1:]) for output in outputs)


def _bytes(variable: keras.Variable) -> int:
    size = 2 if "16" in str(variable.dtype) else 4
    return size * int(math.prod(variable.shape))


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
