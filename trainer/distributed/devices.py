"""Devices: checks --num_gpus against the machine and creates the distribution strategy.

Owns the count, the refusal and the strategy; what is wrong with a GPU is `gpu_faults`' to say.
MirroredStrategy is given only devices that were counted here: given absent GPUs it silently uses
the CPU and hangs in the first all-reduce (seen with TensorFlow 2.21).
"""

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from runtime import errors
from trainer.config import run_config
from trainer.distributed import gpu_faults, nvidia, tensorflow_build, tf_logging

if TYPE_CHECKING:  # Importing TensorFlow takes seconds; a refusal has to come first.
    import tensorflow as tf

_SPLIT_FRAC = 0.85
"""Share of a GPU's memory that its logical devices divide; the rest is CUDA's own."""
_HELD = (
    "another program holds it: end that, name another GPU in CUDA_VISIBLE_DEVICES, or use "
    "--num_gpus=0"
)


def refuse_early(devices: run_config.Devices) -> None:
    """Refuse GPUs that are not there or cannot be used, before TensorFlow is imported.

    A machine with an NVIDIA GPU is refused too if --num_gpus is not given and TensorFlow would not
    see that GPU: training on the CPU instead would take days.

    Raises:
      errors.UserError: with what is missing, and what mends it.
    """
    if devices.num_gpus == 0:
        return
    machine = nvidia.probe()
    if machine.is_linux and not machine.devices and not machine.has_other_gpu:
        check_count(devices, available=0)
    _check_split(devices, num_gpus=devices.num_gpus or 0)
    if not machine.is_linux or not machine.devices:
        return
    if machine.is_hidden:
        _check_hidden(devices, machine=machine)
        return
    build = tensorflow_build.installed()
    reason = build and gpu_faults.fault(machine, build=build)
    if reason:
        raise errors.UserError(_unusable(devices, machine=machine, reason=reason))


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
    path = (
        f", or --num_gpus=0 --virtual_devices={num_gpus} to try the {_ways(num_gpus)} path on it"
        if num_gpus > 1
        else ""
    )
    raise errors.UserError(
        f"--num_gpus={num_gpus}, but this machine has {has}: use {alternative}--num_gpus=0 for the "
        f"CPU{path}"
    )


def _check_split(devices: run_config.Devices, *, num_gpus: int) -> None:
    if num_gpus > 1 and devices.virtual_devices > 1:
        raise errors.UserError(
            f"--virtual_devices={devices.virtual_devices} splits the CPU (--num_gpus=0) or one GPU "
            f"(--num_gpus=1), and here are {num_gpus} GPUs to use: give one of these, or "
            "--virtual_devices=1"
        )


def _check_hidden(devices: run_config.Devices, *, machine: nvidia.Machine) -> None:
    if devices.num_gpus:
        raise errors.UserError(
            f"--num_gpus={devices.num_gpus}, but CUDA_VISIBLE_DEVICES={machine.visible!r} hides "
            "the GPUs of this machine: unset it, or use --num_gpus=0 for the CPU"
        )


def _unusable(devices: run_config.Devices, *, machine: nvidia.Machine, reason: str) -> str:
    asked = f"--num_gpus={devices.num_gpus}, but" if devices.num_gpus else "TensorFlow cannot use"
    gpu = f"the NVIDIA GPU of this machine ({machine.devices[0]})"
    cannot = " cannot be used" if devices.num_gpus else ""
    return f"{asked} {gpu}{cannot}: {reason}; --num_gpus=0 uses the CPU"


def check_batch_early(settings: run_config.Config) -> None:
    """Check the batch as `check_batch` does, where the number of replicas is known already.

    That is one host on the CPU, or with a number of GPUs that was given.

    Raises:
      errors.UserError: if it cannot be shared.
    """
    asked = settings.devices
    if asked.num_gpus is None:
        machine = nvidia.probe()
        if machine.devices or machine.has_other_gpu or not machine.is_linux:
            return
    check_settings(settings, num_replicas=max(asked.num_gpus or 0, asked.virtual_devices))


def check_settings(settings: run_config.Config, *, num_replicas: int) -> None:
    """Check the batch of a configuration; see `check_batch`."""
    check_batch(
        settings.training.batch_size,
        num_replicas=num_replicas,
        num_microbatches=settings.training.accumulate_steps,
        in_pairs=settings.augmentation.is_mixing,
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

    Where TensorFlow has placed its first operation, as in a notebook, its devices stay as they are.

    Raises:
      errors.UserError: if the machine has fewer GPUs than --num_gpus, if TensorFlow sees none of
        those that there are, or has started with fewer devices.
    """
    import tensorflow as tf  # Inside: the refusals above must not wait for it.

    with tf_logging.chatter_off():
        gpus = tf.config.list_physical_devices("GPU")
    if not gpus and devices.num_gpus != 0:
        _refuse_unseen(devices)
    check_count(devices, available=len(gpus))
    num_gpus = len(gpus) if devices.num_gpus is None else devices.num_gpus
    _check_split(devices, num_gpus=num_gpus)
    try:
        return _configure(gpus[:num_gpus], parts=devices.virtual_devices)
    except RuntimeError:
        return _configured_before(num_gpus=num_gpus, parts=devices.virtual_devices)


def _configure(gpus: "list[tf.config.PhysicalDevice]", *, parts: int) -> list[str]:
    """Make GPUs visible, or split one, or the CPU, into logical devices.

    Raises:
      RuntimeError: TensorFlow's, if it has started.
    """
    import tensorflow as tf  # Inside, as above.

    tf.config.set_visible_devices(gpus, "GPU")
    if len(gpus) == 1 and parts > 1:
        return _split_gpu(gpus[0], parts=parts)
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, enable=True)
    if gpus:
        return [f"/gpu:{i}" for i in range(len(gpus))]
    split = [tf.config.LogicalDeviceConfiguration()] * parts
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], split)
    return [f"/cpu:{i}" for i in range(parts)]


def _configured_before(*, num_gpus: int, parts: int) -> list[str]:
    """Return the wanted number of the logical devices that TensorFlow has started with.

    Raises:
      errors.UserError: if there are fewer.
    """
    import tensorflow as tf  # Inside, as above.

    kind = "GPU" if num_gpus else "CPU"
    wanted = max(num_gpus, parts)
    there = len(tf.config.list_logical_devices(kind))
    if there < wanted:
        raise errors.UserError(
            f"{wanted} {kind} devices are wanted, and TensorFlow has started in this process with "
            f"{there}: restart it (in a notebook, the kernel), and train before anything else uses "
            "TensorFlow"
        )
    return [f"/{kind.lower()}:{i}" for i in range(wanted)]


def _split_gpu(gpu: "tf.config.PhysicalDevice", *, parts: int) -> list[str]:
    """Split a GPU into logical devices with equal shares of its memory."""
    import tensorflow as tf  # Inside, as above.

    share = _SPLIT_FRAC * nvidia.gpus()[0].memory_bytes / parts
    part = tf.config.LogicalDeviceConfiguration(memory_limit=int(share / 2**20))
    tf.config.set_logical_device_configuration(gpu, [part] * parts)
    return [f"/gpu:{i}" for i in range(parts)]


def _refuse_unseen(devices: run_config.Devices) -> None:
    machine = nvidia.probe()
    if machine.devices and not machine.is_hidden:
        reason = (
            "driver and CUDA libraries are there, but TensorFlow lists no GPU, and "
            "'python -m trainer.doctor' shows why"
        )
        raise errors.UserError(_unusable(devices, machine=machine, reason=reason))


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


def take_memory_as_needed() -> None:
    """Have each GPU's memory taken as it is needed, unless TensorFlow has started already."""
    import tensorflow as tf  # Inside, as above.

    with contextlib.suppress(RuntimeError, ValueError):  # It has started, or splits a GPU.
        for gpu in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(gpu, enable=True)


def start() -> None:
    """Start TensorFlow on the devices that `prepare` has configured.

    Raises:
      errors.UserError: if a GPU has no memory left for it.
    """
    import tensorflow as tf  # Inside, as above.

    from trainer.distributed import out_of_memory

    with out_of_memory.as_sentence(_HELD):
        tf.config.list_logical_devices()


def strategy(names: list[str], *, num_hosts: int = 1) -> "tf.distribute.Strategy":
    """Return the strategy that shares a batch among the named devices, each with a model copy.

    On CPU devices, and on parts of one GPU, gradients are added on the first one, in order: the
    same sum every time, and no collective that a second strategy in the process could disturb (nor
    NCCL, which takes each GPU once). With several hosts all visible
    devices of the hosts in TF_CONFIG are used; it must then be called before TensorFlow's first
    operation.

    Raises:
      errors.UserError: if a GPU has no memory left for it.
    """
    import tensorflow as tf  # Inside, as above.

    from trainer.distributed import out_of_memory

    if num_hosts > 1:
        with out_of_memory.as_sentence(_HELD):  # It starts TensorFlow itself.
            return tf.distribute.MultiWorkerMirroredStrategy()
    start()
    is_on_one = _is_cpu(names) or _is_split(names)
    cross_device_ops = tf.distribute.ReductionToOneDevice() if is_on_one else None
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
        unused = "; the NVIDIA GPU is not used" if nvidia.has_device() else ""
        if len(names) == 1:
            return f"CPU, one replica{unused}"
        return f"CPU, {len(names)} virtual devices (MirroredStrategy){unused}"
    details = tf.config.experimental.get_device_details(tf.config.list_physical_devices("GPU")[0])
    name = details.get("device_name", "GPU")
    if _is_split(names):
        return f"1 x {name} as {len(names)} virtual devices (MirroredStrategy)"
    return f"{len(names)} x {name} (MirroredStrategy)"


def count_text(names: Sequence[str]) -> str:
    """Return the number and kind of devices: 1 CPU, or 4 GPUs."""
    kind = "CPU" if _is_cpu(names) else "GPU"
    return f"{len(names)} {kind}{'s' if len(names) > 1 else ''}"


def _is_cpu(names: Sequence[str]) -> bool:
    return names[0].startswith("/cpu")


def _is_split(names: Sequence[str]) -> bool:
    """Return whether the devices are parts of one GPU."""
    import tensorflow as tf  # Inside, as above.

    return not _is_cpu(names) and len(tf.config.get_visible_devices("GPU")) < len(names)


def _ways(count: int) -> str:
    words = {2: "two", 3: "three", 4: "four", 8: "eight"}
    return f"{words.get(count, count)}-way"
