"""GPUs asked for against GPUs there, and the strategy that shares a batch among them.

Owns the count, the refusal and the strategy. MirroredStrategy is given only devices that were
counted here: asked for absent GPUs it takes the CPU silently and hangs in the first all-reduce
(facts tried on TensorFlow 2.21).
"""

import pathlib
from typing import TYPE_CHECKING

from runtime import errors
from trainer.config import run_config
from trainer.distributed import tf_logging

if TYPE_CHECKING:  # Importing TensorFlow takes seconds; a refusal has to come first.
    import tensorflow as tf

_GPU_NODES = ("dev/nvidia[0-9]*", "dev/dxg", "dev/kfd", "proc/driver/nvidia/gpus/*")


def refuse_early(devices: run_config.Devices, *, root: pathlib.Path = pathlib.Path("/")) -> None:
    """Refuse GPUs on a machine that shows no sign of any, before TensorFlow is imported.

    Raises:
      errors.UserError: if GPUs are asked for and Linux has no device node of one.
    """
    linux = (root / "proc/self").exists()
    if devices.num_gpus and linux and not any(any(root.glob(node)) for node in _GPU_NODES):
        check_count(devices, available=0)


def check_count(devices: run_config.Devices, *, available: int) -> None:
    """Check the GPUs asked for against those there.

    Raises:
      errors.UserError: if more are asked for.
    """
    asked = devices.num_gpus or 0
    if asked <= available:
        return
    there = {0: "no GPU", 1: "1 GPU"}.get(available, f"{available} GPUs")
    fewer = (
        f"--num_gpus={available} for {'that one' if available == 1 else 'those'}, "
        if available
        else ""
    )
    raise errors.UserError(
        f"--num_gpus={asked}, but this machine has {there}. Use {fewer}--num_gpus=0 for the CPU, "
        f"or --num_gpus=0 --virtual_devices={asked} to try the {_ways(asked)} path on it."
    )


def check_batch(
    batch_size: int, *, num_replicas: int, num_parts: int = 1, in_pairs: bool = False
) -> None:
    """Check that the global batch can be cut into parts and these be shared evenly, with pairs kept
    together.

    Raises:
      errors.UserError: with all numbers and the nearest sizes that can.
    """
    unit = num_replicas * num_parts * (2 if in_pairs else 1)
    if batch_size % unit == 0:
        return
    lower = batch_size - batch_size % unit
    nearby = " or ".join(f"--batch_size={n}" for n in (lower, lower + unit) if n)
    parts = f" in {num_parts} parts each (--accumulate_steps)" if num_parts > 1 else ""
    parts += " in pairs (--mixup, --cutmix)" if in_pairs else ""
    shared = f"{num_replicas} replicas" if num_replicas > 1 else "one replica"
    raise errors.UserError(
        f"--batch_size={batch_size} cannot be shared evenly by {shared}{parts}: use {nearby}"
    )


def prepare(devices: run_config.Devices) -> list[str]:
    """Count, refuse, split the CPU where asked, and return the device names that share the batch.

    Must run before TensorFlow places its first operation.
    """
    import tensorflow as tf  # Inside: the refusals above must not wait for it.

    with tf_logging.chatter_off():
        gpus = tf.config.list_physical_devices("GPU")
    check_count(devices, available=len(gpus))
    num_gpus = len(gpus) if devices.num_gpus is None else devices.num_gpus
    tf.config.set_visible_devices(gpus[:num_gpus], "GPU")
    for gpu in gpus[:num_gpus]:
        tf.config.experimental.set_memory_growth(gpu, enable=True)
    if num_gpus:
        return [f"/gpu:{i}" for i in range(num_gpus)]
    split = [tf.config.LogicalDeviceConfiguration()] * devices.virtual_devices
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], split)
    return [f"/cpu:{i}" for i in range(devices.virtual_devices)]


def check_hosts(devices: run_config.Devices, *, num_hosts: int) -> None:
    """Check that a CPU is not split on several hosts.

    Raises: errors.UserError: if it is; MultiWorkerMirroredStrategy would take the first part, and
      leave the others idle.
    """
    if num_hosts > 1 and devices.virtual_devices > 1:
        raise errors.UserError(
            f"--virtual_devices={devices.virtual_devices}, but with several hosts the CPU of each is one replica, or "
            f"its GPUs are: use --virtual_devices=1 on these {num_hosts}"
        )


def strategy(names: list[str], *, num_hosts: int = 1) -> "tf.distribute.Strategy":
    """Return the strategy that shares a batch among the named devices; every one keeps a copy of
    the model.

    On CPU devices gradients are added on the first one, in order: the same sum every time, and no
    collective that a second strategy in the process could disturb. With several hosts all visible
    devices are shared in, as TF_CONFIG says; must then be called before TensorFlow's first
    operation.
    """
    import tensorflow as tf  # Inside, as above.

    if num_hosts > 1:
        return tf.distribute.MultiWorkerMirroredStrategy()
    on_cpu = names[0].startswith("/cpu")
    return tf.distribute.MirroredStrategy(
        names, cross_device_ops=tf.distribute.ReductionToOneDevice() if on_cpu else None
    )


def local_replicas(strategy: "tf.distribute.Strategy") -> range:
    """Return the numbers, among all replicas, of those on this host."""
    numbers = strategy.experimental_distribute_values_from_function(
        lambda context: context.replica_id_in_sync_group
    )
    first, *others = strategy.experimental_local_results(numbers)
    return range(first, first + 1 + len(others))


def describe(names: list[str], *, num_hosts: int = 1) -> str:
    """Return the start-up line: what the program runs on."""
    import tensorflow as tf  # Inside, as above.

    if num_hosts > 1:
        kind = "CPU" if names[0].startswith("/cpu") else "GPU"
        each = f"{len(names)} {kind}{'s' * (len(names) > 1)}"
        return f"{num_hosts} hosts of {each} each (MultiWorkerMirroredStrategy)"
    if names[0].startswith("/cpu"):
        return (
            f"CPU, {len(names)} virtual devices (MirroredStrategy)"
            if len(names) > 1
            else "CPU, one replica"
        )
    details = tf.config.experimental.get_device_details(tf.config.list_physical_devices("GPU")[0])
    return f"{len(names)} x {details.get('device_name', 'GPU')} (MirroredStrategy)"


def _ways(count: int) -> str:
    words = {2: "two", 3: "three", 4: "four", 8: "eight"}
    return f"{words.get(count, count)}-way"
