"""Devices: checks --num_gpus against the machine and creates the distribution strategy.

Owns the count, the refusal and the strategy. MirroredStrategy is given only devices that were
counted here: given absent GPUs it silently uses the CPU and hangs in the first all-reduce (seen
with TensorFlow 2.21).
"""

import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from runtime import errors
from trainer.config import run_config
from trainer.distributed import tf_logging

if TYPE_CHECKING:  # Importing TensorFlow takes seconds; a refusal has to come first.
    import tensorflow as tf

_GPU_NODES = ("dev/nvidia[0-9]*", "dev/dxg", "dev/kfd", "proc/driver/nvidia/gpus/*")


def refuse_early(devices: run_config.Devices, *, root: pathlib.Path = pathlib.Path("/")) -> None:
    """Refuse --num_gpus on a machine without any GPU, before TensorFlow is imported.

    Raises:
      errors.UserError: if GPUs are asked for and Linux has no device node of one.
    """
    is_linux = (root / "proc/self").exists()
    has_gpu = any(any(root.glob(node)) for node in _GPU_NODES)
    if devices.num_gpus and is_linux and not has_gpu:
        check_count(devices, available=0)


def check_count(devices: run_config.Devices, *, available: int) -> None:
    """Check --num_gpus against the number of GPUs of this machine.

    Raises:
      errors.UserError: if it has fewer.
    """
    num_gpus = devices.num_gpus or 0
    if num_gpus <= available:
        return
    has, alternative = {
        0: ("no GPU", ""),
        1: ("1 GPU", "--num_gpus=1 for that one, "),
    }.get(available, (f"{available} GPUs", f"--num_gpus={available} for those, "))
    raise errors.UserError(
        f"--num_gpus={num_gpus}, but this machine has {has}. Use {alternative}--num_gpus=0 for the "
        f"CPU, or --num_gpus=0 --virtual_devices={num_gpus} to try the {_ways(num_gpus)} path on "
        "it."
    )


def check_batch(
    batch_size: int, *, num_replicas: int, num_microbatches: int = 1, in_pairs: bool = False
) -> None:
    """Check that the global batch divides evenly into microbatches, replicas and pairs.

    Raises:
      errors.UserError: with all numbers and the nearest batch sizes that do.
    """
    unit = num_replicas * num_microbatches
    sharing = f"{num_replicas} replicas" if num_replicas > 1 else "one replica"
    if num_microbatches > 1:
        sharing += f" in {num_microbatches} microbatches each (--accumulate_steps)"
    if in_pairs:
        unit *= 2
        sharing += " in pairs (--mixup, --cutmix)"
    if batch_size % unit == 0:
        return
    lower = batch_size - batch_size % unit
    nearest = " or ".join(f"--batch_size={n}" for n in (lower, lower + unit) if n)
    raise errors.UserError(
        f"--batch_size={batch_size} cannot be shared evenly by {sharing}: use {nearest}"
    )


def prepare(devices: run_config.Devices) -> list[str]:
    """Configure the devices, and return the names of those that share the batch.

    Must run before TensorFlow places its first operation.

    Raises:
      errors.UserError: if the machine has fewer GPUs than --num_gpus.
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
    """Check that --virtual_devices is not used with several hosts.

    Raises:
      errors.UserError: if it is; MultiWorkerMirroredStrategy would use the first virtual device and
        leave the others idle.
    """
    if num_hosts > 1 and devices.virtual_devices > 1:
        raise errors.UserError(
            f"--virtual_devices={devices.virtual_devices}, but with several hosts the CPU of each "
            f"is one replica, or its GPUs are: use --virtual_devices=1 on these {num_hosts}"
        )


def strategy(names: list[str], *, num_hosts: int = 1) -> "tf.distribute.Strategy":
    """Return the strategy that shares a batch among the named devices, each with a model copy.

    On CPU devices gradients are added on the first one, in order: the same sum every time, and no
    collective that a second strategy in the process could disturb. With several hosts all visible
    devices of the hosts in TF_CONFIG are used; it must then be called before TensorFlow's first
    operation.
    """
    import tensorflow as tf  # Inside, as above.

    if num_hosts > 1:
        return tf.distribute.MultiWorkerMirroredStrategy()
    cross_device_ops = tf.distribute.ReductionToOneDevice() if _is_cpu(names) else None
    return tf.distribute.MirroredStrategy(names, cross_device_ops=cross_device_ops)


def local_replicas(strategy: "tf.distribute.Strategy") -> range:
    """Return the replica indices of this host."""
    indices = strategy.experimental_distribute_values_from_function(
        lambda context: context.replica_id_in_sync_group
    )
    local = strategy.experimental_local_results(indices)
    return range(local[0], local[0] + len(local))


def describe(names: list[str], *, num_hosts: int = 1) -> str:
    """Return the start-up line on hosts, devices and strategy."""
    import tensorflow as tf  # Inside, as above.

    if num_hosts > 1:
        return f"{num_hosts} hosts of {count_text(names)} each (MultiWorkerMirroredStrategy)"
    if _is_cpu(names):
        if len(names) == 1:
            return "CPU, one replica"
        return f"CPU, {len(names)} virtual devices (MirroredStrategy)"
    details = tf.config.experimental.get_device_details(tf.config.list_physical_devices("GPU")[0])
    return f"{len(names)} x {details.get('device_name', 'GPU')} (MirroredStrategy)"


def count_text(names: Sequence[str]) -> str:
    """Return the number and kind of devices: 1 CPU, or 4 GPUs."""
    kind = "CPU" if _is_cpu(names) else "GPU"
    return f"{len(names)} {kind}{'s' if len(names) > 1 else ''}"


def _is_cpu(names: Sequence[str]) -> bool:
    return names[0].startswith("/cpu")


def _ways(count: int) -> str:
    words = {2: "two", 3: "three", 4: "four", 8: "eight"}
    return f"{words.get(count, count)}-way"
