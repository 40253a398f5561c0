"""Device probe: imports TensorFlow and computes on each device, in a process of its own.

Owns the measurements, each printed as a line of JSON as soon as it is made. A process of its own,
because an unfit CUDA library, driver or GPU may end or stop the process that uses it:
python -m trainer.diagnosis.device_probe.
"""

import json
import time
from typing import Any

import numpy as np

from runtime import errors

_CHECKED = 512
"""Side of the matrices whose product is compared: small integers, exact in every float format."""
_TIMED = 4096
_SUMMED = 32 * 2**20
"""Numbers that are added over all GPUs: 128 MB of float32, as the gradients of a large network."""
_REPEATS = 20


def main() -> None:
    """Print what TensorFlow says of itself and of each device, and what they compute."""
    started = time.perf_counter()
    import tensorflow as tf  # Inside: its import is what is measured.

    from trainer.distributed import devices

    gpus = tf.config.list_physical_devices("GPU")
    _print("start", version=tf.__version__, seconds=time.perf_counter() - started, gpus=len(gpus))
    try:
        names = devices.prepare(devices_of(len(gpus)))
        devices.start()
    except errors.UserError as error:
        _print("refused", reason=str(error))
        return
    for name in names:
        _print("product", device=name, **product(name, timed=_TIMED if gpus else _CHECKED))
    if len(gpus) > 1:
        _print("all_reduce", devices=len(gpus), **all_reduce(names, count=_SUMMED))


def devices_of(num_gpus: int) -> Any:
    """Return the settings of a run on all GPUs, or on the CPU."""
    from trainer.config import run_config  # Inside, as above.

    return run_config.Devices(num_gpus=num_gpus)


def product(device: str, *, timed: int) -> dict[str, Any]:
    """Multiply matrices on a device.

    Args:
      device: its name.
      timed: side of the matrices whose product is timed.

    Returns:
      whether the product was right, and the speeds in TFLOP/s by number format.
    """
    import tensorflow as tf  # Inside, as above.

    rows, columns = np.indices((_CHECKED, _CHECKED))
    matrix = ((rows + 2 * columns) % 7).astype(np.float32)
    with tf.device(device):
        is_right = np.array_equal(tf.matmul(matrix, matrix).numpy(), matrix @ matrix)
        tflops = {name: _tflops(timed, dtype=name) for name in ("bfloat16", "float32")}
    return {"is_right": bool(is_right), "tflops": tflops}


def _tflops(side: int, *, dtype: str) -> float:
    """Return the speed of a matrix product in TFLOP/s."""
    import tensorflow as tf  # Inside, as above.

    matrix = tf.ones((side, side), dtype)
    tf.matmul(matrix, matrix)[0, 0].numpy()
    started = time.perf_counter()
    for _ in range(_REPEATS):
        result = tf.matmul(matrix, matrix)
    result[0, 0].numpy()  # Of one number: the copy of a result takes longer than a product.
    seconds = (time.perf_counter() - started) / _REPEATS
    return 2 * side**3 / seconds / 1e12


def all_reduce(names: list[str], *, count: int) -> dict[str, Any]:
    """Add float32 numbers over devices, as training adds gradients.

    Returns:
      whether the sum was right on all of them, and the speed in GB/s of one's numbers.
    """
    import tensorflow as tf  # Inside, as above.

    from trainer.distributed import devices

    strategy = devices.strategy(names)

    def replica() -> Any:
        context = tf.distribute.get_replica_context()
        number = tf.cast(context.replica_id_in_sync_group, tf.float32) + 1.0
        return tf.reduce_max(context.all_reduce("sum", tf.fill([count], number)))

    @tf.function  # type: ignore[untyped-decorator, unused-ignore]
    def step() -> Any:
        return strategy.experimental_local_results(strategy.run(replica))

    sums = [float(each) for each in step()]
    started = time.perf_counter()
    for _ in range(_REPEATS):
        [float(each) for each in step()]
    seconds = (time.perf_counter() - started) / _REPEATS
    expected = len(names) * (len(names) + 1) / 2
    return {"is_right": sums == [expected] * len(names), "gb_per_s": 4 * count / seconds / 1e9}


def _print(kind: str, **measured: Any) -> None:
    print(json.dumps({"kind": kind, **measured}), flush=True)


if __name__ == "__main__":
    main()
