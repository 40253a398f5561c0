"""Contenders of the read benchmark, one process each: from shards to batches of uint8.

python -m benchmarks.read_peers CONTENDER VERSION_DIR IMAGE_SIZE prints the seconds of each of three
epochs, the first including opening the data. `bare` decodes from memory in as many processes as
there are cores and passes no batch on. Those of PyTorch, Grain and Hugging Face datasets are
written as in their guides, with a worker a core; copies into their formats are made before the
clock runs.
"""

import hashlib
import importlib
import json
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from runtime import signals

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

BATCH = 128
EPOCHS = 8
Epoch = Callable[[], Iterable[Any]]
"""Returns the batches of an epoch, each with a length."""


def ours(version_dir: str, size_px: int, *, cache: str) -> Iterator[Iterable[Any]]:
    """Read with the trainer's input pipeline for one device."""
    import functools

    from runtime import machine
    from trainer.data import dataset_version, examples, input_pipeline, sampler

    folder = tempfile.mkdtemp(prefix="read_benchmark_")  # Empty: no cache of an earlier run.
    version = dataset_version.open_version(Path(version_dir))
    split = examples.read(
        version,
        split="train",
        size_px=size_px,
        for_training=True,
        cache=cache,
        cache_dir=folder,
    )
    layout = input_pipeline.BatchLayout(
        batch_size=BATCH,
        num_replicas=1,
        steps_per_execution=input_pipeline.steps_per_execution(BATCH, size_px=size_px),
    )
    machine.keep_freed()
    order_of = functools.partial(sampler.natural, split.num_examples, seed=0)
    for epoch in range(EPOCHS):
        plan_rows = input_pipeline.plan(
            split.num_examples, layout=layout, epochs=range(epoch, epoch + 1)
        )
        groups = input_pipeline.step_groups(
            split, plan_rows=plan_rows, layout=layout, order_of=lambda e: order_of(epoch=e)
        )
        yield (int(group["weight"].numpy().sum()) for group in _kept(groups.prefetch(2)))
    shutil.rmtree(folder)


def tfds_load(version_dir: str, size_px: int, *, cached: bool) -> Iterator[Iterable[Any]]:
    """Read as in TFDS's guide: load, resize, shuffle, batch; `cached` keeps resized images."""
    import tensorflow as tf
    import tensorflow_datasets as tfds

    builder = tfds.builder_from_directory(version_dir)
    dataset = builder.as_dataset(split="train", as_supervised=True, shuffle_files=True)

    def resize(image: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return tf.cast(tf.image.resize(image, (size_px, size_px)), tf.uint8), label

    dataset = dataset.map(resize, num_parallel_calls=tf.data.AUTOTUNE)
    if cached:
        dataset = dataset.cache()
    dataset = dataset.shuffle(1000).batch(BATCH).prefetch(tf.data.AUTOTUNE)
    for _ in range(EPOCHS):
        yield (len(labels) for _, labels in _kept(dataset))


def _kept(dataset: Any) -> Iterator[Any]:
    """Return an iterator that is not deleted at its end.

    Deleting one waits for tf.data's tuner to wake, which sleeps 10, 20, 40, … ms: up to half of an
    epoch.
    """
    _KEPT.append(iter(dataset))
    return _KEPT[-1]


_KEPT: list[Iterator[Any]] = []


def bare(version_dir: str, size_px: int) -> Iterator[Iterable[Any]]:
    """Decode and resize with OpenCV, a process a core, each with its JPEGs in memory."""
    jpegs = _stored(version_dir)
    cores = len(os.sched_getaffinity(0))
    with multiprocessing.Pool(cores, signals.end_with_parent) as pool:
        for _ in range(EPOCHS):
            yield pool.imap(_decode_all, [(jpegs[i::cores], size_px) for i in range(cores)])


def face_dataset(version_dir: str, size_px: int) -> Iterator[Iterable[Any]]:
    """Read by index with our reader in a PyTorch DataLoader, which needs no TensorFlow."""
    return _loaded(_faces(version_dir, size_px))


def torch(version_dir: str, size_px: int) -> Iterator[Iterable[Any]]:
    """Read with a PyTorch DataLoader, decoding JPEGs in memory with Pillow."""
    return _loaded(_InMemory(_stored(version_dir), size_px))


def torchvision(version_dir: str, size_px: int) -> Iterator[Iterable[Any]]:
    """Read folders of JPEGs, one a class, with torchvision's ImageFolder and a DataLoader."""
    from torchvision import datasets, transforms

    steps = [transforms.Resize((size_px, size_px)), transforms.PILToTensor()]
    return _loaded(datasets.ImageFolder(_copied(version_dir), transforms.Compose(steps)))


def _loaded(dataset: Any) -> Iterator[Iterable[Any]]:
    """Yield the epochs of a PyTorch DataLoader with a worker a core."""
    import torch.utils.data as data

    loader = data.DataLoader(
        dataset, batch_size=BATCH, shuffle=True, num_workers=len(os.sched_getaffinity(0))
    )
    for _ in range(EPOCHS):
        yield (_length(batch) for batch in loader)


def _length(batch: Any) -> int:
    return len(batch[0]) if isinstance(batch, (list, tuple)) else len(batch)


def grain(version_dir: str, size_px: int) -> Iterator[Iterable[Any]]:
    """Read by index with our reader in Grain's own processes, as JAX programs do."""
    import grain as grain_lib

    workers = grain_lib.multiprocessing.MultiprocessingOptions(
        num_workers=len(os.sched_getaffinity(0))
    )
    shuffled = grain_lib.MapDataset.source(_faces(version_dir, size_px)).shuffle(seed=0)
    for epoch in range(EPOCHS):
        batches = shuffled.seed(epoch).batch(BATCH).to_iter_dataset()
        yield (_length(batch) for batch in batches.mp_prefetch(workers))


def array_record(version_dir: str, size_px: int) -> Iterator[Iterable[Any]]:
    """Read the build's ArrayRecords (pipeline.convert) by tfds.data_source in Grain's processes."""
    import grain as grain_lib
    import tensorflow_datasets as tfds

    source = tfds.builder_from_directory(version_dir).as_data_source(split="train")
    workers = grain_lib.multiprocessing.MultiprocessingOptions(
        num_workers=len(os.sched_getaffinity(0))
    )
    images = grain_lib.MapDataset.source(source).map(_Resized(size_px))
    for epoch in range(EPOCHS):
        batches = images.shuffle(seed=epoch).batch(BATCH).to_iter_dataset()
        yield (_length(batch) for batch in batches.mp_prefetch(workers))


class _Resized:
    """Resizes the image of an example, in a worker's process."""

    def __init__(self, size_px: int) -> None:
        self._size_px = size_px

    def __call__(self, example: Any) -> Any:
        import cv2

        size = (self._size_px, self._size_px)
        return cv2.resize(example["image"], size, interpolation=cv2.INTER_AREA)


def hugging_face(version_dir: str, size_px: int) -> Iterator[Iterable[Any]]:
    """Read a data set of Hugging Face, whose images Pillow decodes, in a PyTorch DataLoader."""
    import datasets
    import numpy as np
    import PIL.Image

    def resized(rows: dict[str, Any]) -> dict[str, Any]:
        size = (size_px, size_px)
        images = [row.resize(size, PIL.Image.Resampling.BILINEAR) for row in rows["image"]]
        return {"image": [np.array(image.convert("RGB")) for image in images]}

    table = datasets.load_from_disk(_in_arrow(version_dir)).with_transform(resized)

    class Images:
        """The images alone."""

        def __len__(self) -> int:
            return len(table)

        def __getitem__(self, number: int) -> Any:
            return table[number]["image"]

    return _loaded(Images())


def _faces(version_dir: str, size_px: int | None) -> Any:
    import affectnet_tfds

    return affectnet_tfds.FaceDataset(
        version_dir, split="train", image_size=size_px, as_supervised=True
    )


def _copied(version_dir: str) -> str:
    """Return the folder of the build's JPEGs, which are copied once: CLASS/NUMBER.jpg."""
    folder = _copies(version_dir) / "folder"
    if not folder.is_dir():
        faces = _faces(version_dir, None)
        part = folder.with_name("folder.part")
        for number in range(len(faces)):
            stored = faces.stored(number)
            path = part / str(stored.label) / f"{number}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(stored.image)
        part.rename(folder)
    return str(folder)


def _in_arrow(version_dir: str) -> str:
    """Return the folder of the build as a data set of Hugging Face, which is made once."""
    import datasets

    folder = _copies(version_dir) / "arrow"
    if not folder.is_dir():
        images = [{"bytes": content, "path": None} for content in _stored(version_dir)]
        features = datasets.Features({"image": datasets.Image()})
        datasets.Dataset.from_dict({"image": images}, features=features).save_to_disk(folder)
    return str(folder)


def _copies(version_dir: str) -> Path:
    """Return the temporary folder of a version's copies in other formats."""
    info = Path(version_dir, "dataset_info.json").read_bytes()
    name = hashlib.sha256(os.fsencode(os.path.realpath(version_dir)) + info).hexdigest()[:16]
    return Path(tempfile.gettempdir(), f"read_benchmark_{name}")


class _InMemory:
    """A map-style data set of JPEGs."""

    def __init__(self, jpegs: list[bytes], size_px: int) -> None:
        self._jpegs = jpegs
        self._size_px = size_px

    def __len__(self) -> int:
        return len(self._jpegs)

    def __getitem__(self, number: int) -> Any:
        import io

        import numpy as np
        import PIL.Image

        image = PIL.Image.open(io.BytesIO(self._jpegs[number])).convert("RGB")
        return np.asarray(
            image.resize((self._size_px, self._size_px), PIL.Image.Resampling.BILINEAR)
        )


def _stored(version_dir: str) -> list[bytes]:
    faces = _faces(version_dir, None)
    return [faces.stored(number).image for number in range(len(faces))]


def _decode_all(work: tuple[list[bytes], int]) -> int:
    import cv2
    import numpy as np

    cv2.setNumThreads(1)
    jpegs, size_px = work
    for jpeg in jpegs:
        pixels = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR_RGB)
        cv2.resize(pixels, (size_px, size_px), interpolation=cv2.INTER_AREA)
    return len(jpegs)


CONTENDERS: dict[str, Callable[[str, int], Iterator[Iterable[Any]]]] = {
    "ours": lambda path, size: ours(path, size, cache="ram"),
    "ours, no cache": lambda path, size: ours(path, size, cache="none"),
    "ours, disk": lambda path, size: ours(path, size, cache="disk"),
    "tfds.load": lambda path, size: tfds_load(path, size, cached=False),
    "tfds.load, cache()": lambda path, size: tfds_load(path, size, cached=True),
    "bare": bare,
    "FaceDataset": face_dataset,
    "torch": torch,
    "torchvision": torchvision,
    "grain": grain,
    "array_record": array_record,
    "hugging face": hugging_face,
}
NEEDS = {
    "bare": ("cv2",),
    "FaceDataset": ("torch",),
    "torch": ("torch",),
    "torchvision": ("torch", "torchvision"),
    "grain": ("grain",),
    "array_record": ("grain", "tensorflow"),
    "hugging face": ("torch", "datasets"),
}
"""Packages of contenders that are none of this project's."""
COPIES = {"torchvision": _copied, "hugging face": _in_arrow}
"""What is made before the clock runs."""


def main(contender: str, version_dir: str, size_px: str) -> None:
    """Run the epochs and print the seconds and examples of each."""
    for package in NEEDS.get(contender, ("tensorflow",)):
        importlib.import_module(package)  # So that no first epoch includes the import.
    if contender in COPIES:
        COPIES[contender](version_dir)
    seconds = []
    counts = []
    started = time.perf_counter()
    for epoch in CONTENDERS[contender](version_dir, int(size_px)):
        counts.append(sum(epoch))
        seconds.append(time.perf_counter() - started)
        started = time.perf_counter()
    print(json.dumps({"seconds": seconds, "examples": counts}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
