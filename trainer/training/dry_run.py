"""A look at a run before it is started: network, shapes, steps, memory, and the first batch as a
picture.

Owns what --dry_run prints, and the estimate of memory. Measuring the memory in a step was rejected:
the point is to know before the machine that would have to hold it is there.
"""

import math
import pathlib

import keras

from trainer.data import examples
from trainer.monitoring import batch_preview
from trainer.run import context
from trainer.training import setup, train_input, train_step

PICTURE = "first_batch.png"


def run(network: keras.Model, *, ctx: context.RunContext, train: examples.Split) -> None:
    """Print what a run would be, and draw its first batch into the model folder."""
    program = setup.build_train_step(network, ctx=ctx, split=train)
    for line in (
        *layers(network),
        *steps(ctx, num_examples=train.num_examples),
        *memory(program, ctx=ctx),
    ):
        print(line)
    parts = program.look(next(iter(train_input.step_groups(ctx, split=train))))
    path = pathlib.Path(ctx.settings.run.model_dir) / PICTURE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(batch_preview.draw(parts, class_names=ctx.version.class_names))
    print(f"first batch   {path}\nnothing trained (--dry_run)", flush=True)


def layers(network: keras.Model) -> list[str]:
    """Return a line a layer: name, output, parameters."""
    rows = [
        (layer.name, " x ".join(map(str, layer.output.shape[1:])), f"{layer.count_params():,}")
        for layer in network.layers
    ]
    name, shape = (max(len(row[column]) for row in rows) for column in (0, 1))
    return [f"  {'layer':<{name}}  {'output':<{shape}}  parameters"] + [
        f"  {row[0]:<{name}}  {row[1]:<{shape}}  {row[2]:>10}" for row in rows
    ]


def steps(ctx: context.RunContext, *, num_examples: int) -> list[str]:
    """Return what is dealt: steps, epochs, shapes."""
    training, shape, size = ctx.settings.training, ctx.shape, ctx.image_size
    each, part = (
        shape.batch_size // shape.num_replicas,
        shape.batch_size // shape.num_replicas // shape.num_parts,
    )
    in_epoch, last = (
        shape.num_steps(num_examples),
        num_examples % shape.batch_size or shape.batch_size,
    )
    in_parts = f", in {shape.num_parts} parts of {part}" if shape.num_parts > 1 else ""
    return [
        f"steps         {in_epoch:,} an epoch of {num_examples:,} pictures, the last of {last}; "
        f"{in_epoch * training.epochs:,} in {training.epochs} epochs",
        f"batch         uint8 [{each}, {size}, {size}, 3] on each of {shape.num_replicas} replicas{in_parts}",
    ]


def memory(program: train_step.TrainStep, *, ctx: context.RunContext) -> list[str]:
    """Return an estimate of what training holds on each replica."""
    rows = estimate(program, ctx=ctx)
    listed = ", ".join(f"{name} {_size(count)}" for name, count in rows.items())
    return [f"memory        about {_size(sum(rows.values()))} a replica: {listed}"]


def estimate(program: train_step.TrainStep, *, ctx: context.RunContext) -> dict[str, int]:
    """Return bytes on a replica by what takes them.

    Activations are every layer's output for one part of the batch, held until the way back has used
    it; convolutions' work space, which depends on the device, is not in it.
    """
    settings, shape = ctx.settings, ctx.shape
    weights = sum(_bytes(variable) for variable in program.model.variables)
    trained = sum(_bytes(variable) for variable in program.optimizer.variables)
    slots = sum(_bytes(slot) for of_variable in program.optimizer.slots for slot in of_variable)
    each = shape.batch_size // shape.num_replicas
    pixels = each * ctx.image_size**2 * 3
    copies = 1 + (program.average is not None) + bool(settings.optimization.sam_rho)
    return {
        "weights": weights * copies,
        "gradients": trained * (2 if shape.num_parts > 1 or settings.optimization.sam_rho else 1),
        "optimizer": slots,
        "activations": each // shape.num_parts * sum(map(_activation_bytes, program.model.layers)),
        "pictures": pixels
        * (
            3 * shape.steps_per_execution + 2 * 4
        ),  # Three calls of bytes, one step twice as floats.
    }


def _activation_bytes(layer: keras.Layer) -> int:
    outputs = layer.output if isinstance(layer.output, list) else [layer.output]
    size = 2 if layer.compute_dtype in ("float16", "bfloat16") else 4
    return sum(size * math.prod(output.shape[1:]) for output in outputs)


def _bytes(variable: keras.Variable) -> int:
    return math.prod(variable.shape) * (2 if "16" in str(variable.dtype) else 4)


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
