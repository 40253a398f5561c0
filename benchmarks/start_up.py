"""Benchmark of start-up: seconds until a run's first step ends, with and without shard indexes.

python -m benchmarks.start_up --version_dir=DATA_DIR/affectnet_faces/NAME/1.0.0 --work_dir=FOLDER
makes versions of `--records` records from hard links of the shards of train, and starts a training
on each as a process of its own. Its import of TensorFlow is not counted.
"""

import functools
import json
import os
import pathlib
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Any

from absl import flags

from affectnet_tfds import dataset_paths
from affectnet_tfds.reader import version_folder
from benchmarks import command_line, measure, releases
from runtime import errors

VERSION_DIR = flags.DEFINE_string("version_dir", None, "a published version", required=True)
WORK_DIR = flags.DEFINE_string("work_dir", None, "folder for the versions", required=True)
RECORDS = flags.DEFINE_list("records", ["100000", "1000000"], "records of train, at least")
command_line.whole_numbers(RECORDS, least=1)
RUNS = flags.DEFINE_integer("runs", 3, "runs of each; the median is printed", 1)

_TRAINING = {
    "num_gpus": 0,
    "epochs": 1,
    "cache": "none",
    "conv_filters": (8, 8),
    "dense_units": (16,),
}


def linked(version: pathlib.Path, *, records: int, with_index: bool, work: pathlib.Path) -> str:
    """Make a version of at least so many records by hard links, once; return its config's name.

    Raises:
      errors.UserError: if there is one of that name that was made from another version, or if its
        folder is on another disk.
    """
    name = f"linked_{records}{'' if with_index else '_without_index'}"
    folder = work / dataset_paths.version_folder(name)
    lengths = version_folder.read(version).splits["train"]
    if (folder / dataset_paths.FEATURES).is_file():
        _refuse_another(version, folder)
        return name
    folder.mkdir(parents=True, exist_ok=True)
    repeats = -(-records // sum(lengths))
    shards = [*enumerate(lengths)] * repeats
    for place, (shard, _) in enumerate(shards):
        source = dataset_paths.shard_name("train", shard, len(lengths))
        target = dataset_paths.shard_name("train", place, len(shards))
        _link(version / source, folder / target)
        if with_index:
            index = dataset_paths.index_name
            _link(version / index(source), folder / index(target))
    info = json.loads((version / dataset_paths.DATASET_INFO).read_text())
    for split in info["splits"]:
        if split["name"] == "train":
            split["shardLengths"] = [str(length) for _, length in shards]
    (folder / dataset_paths.DATASET_INFO).write_text(json.dumps(info))
    others = [path for path in version.iterdir() if _is_kept(path.name)]
    for path in sorted(others, key=lambda path: path.name == dataset_paths.FEATURES):
        _link(path, folder / path.name)
    return name


def _refuse_another(version: pathlib.Path, folder: pathlib.Path) -> None:
    """Refuse a linked version that an earlier call made from another.

    Raises:
      errors.UserError: if it did.
    """
    name = dataset_paths.FEATURES
    if not (folder / name).samefile(version / name):
        raise errors.UserError(
            f"{folder} must be made from {version}: it was made from another version; remove it, "
            "or name another --work_dir"
        )


def _is_kept(name: str) -> bool:
    """Return whether a file of the original version belongs to the linked one: not train's."""
    is_of_train = name.startswith(f"{dataset_paths.DATASET_NAME}-train")
    return not is_of_train and name != dataset_paths.DATASET_INFO


def _link(source: pathlib.Path, target: pathlib.Path) -> None:
    target.unlink(missing_ok=True)
    releases.link(source, target)


def first_step(**given: str) -> dict[str, float]:
    """Start a training in this process and end it after its first call into the graph.

    Returns:
      seconds until that call ended, and until the shards were indexed; bytes that this took.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import psutil
    import tensorflow as tf  # The time of its import is not counted.

    from trainer.config import run_config
    from trainer.data import dataset_version, tfrecord_index
    from trainer.training import train, train_step

    assert tf.__version__
    process = psutil.Process()
    found: dict[str, float] = {"reading": 0.0, "bytes": 0.0}
    read, train_one = tfrecord_index.read, train_step.TrainStep.train

    def timed(*args: Any, **kwargs: Any) -> tfrecord_index.Records:
        before, started = process.memory_info().rss, time.perf_counter()
        records = read(*args, **kwargs)
        found["reading"] += time.perf_counter() - started
        found["bytes"] += process.memory_info().rss - before
        return records

    @functools.wraps(train_one)
    def once(*args: Any, **kwargs: Any) -> Any:
        train_one(*args, **kwargs)
        raise _Done

    tfrecord_index.read = timed
    setattr(train_step.TrainStep, "train", once)  # noqa: B010 - mypy knows no other way
    started = time.perf_counter()
    settings = run_config.make({**_TRAINING, **given})
    try:
        train.run(settings, data_path=dataset_version.locate(settings.data))
    except _Done:
        return {**found, "first step": time.perf_counter() - started}
    raise AssertionError("the training ended without a step")


class _Done(BaseException):
    """Ends the training after its first step; no Exception, which a run would report."""


def main(argv: Sequence[str]) -> None:
    """Measure, and print a table."""
    del argv
    version, work = pathlib.Path(VERSION_DIR.value), pathlib.Path(WORK_DIR.value)
    print(f"median of {RUNS.value}; {measure.machine()}")
    print(f"{'records':>10}  {'index':5}  {'first step s':>12}  {'indexing s':>10}  bytes a record")
    for records in map(int, RECORDS.value):
        for with_index in (True, False):
            name = linked(version, records=records, with_index=with_index, work=work)
            runs = [_run(name, work=work) for _ in range(RUNS.value)]
            median = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
            print(
                f"{records:10,}  {'yes' if with_index else 'no':5}  {median['first step']:12.1f}  "
                f"{median['reading']:10.2f}  {median['bytes'] / records:14.0f}",
                flush=True,
            )


def _run(name: str, *, work: pathlib.Path) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        given = {"data_dir": str(work), "config_name": name, "model_dir": f"{folder}/run"}
        code = "import json; from benchmarks import start_up; "
        code += f"print(json.dumps(start_up.first_step(**{given!r})))"
        done = measure.run([sys.executable, "-c", code])
    result: dict[str, float] = json.loads(done.output.splitlines()[-1])
    return result


if __name__ == "__main__":
    command_line.run(main)
