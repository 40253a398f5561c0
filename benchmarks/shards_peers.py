"""Peers of the shards benchmark: hand-written loops, TFDS builders, data libraries, img2dataset.

Each is a program of its own, run in a process of its own: python -m benchmarks.shards_peers PEER
INPUT_DIR OUTPUT_DIR. All but img2dataset, which does not know faces, crop the same squares to the
same size; they read rows as the job does, so that only the processing of images differs.
"""

import contextlib
import json
import multiprocessing
import os
import socket
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from pipeline.rows import annotations
from pipeline.sources import base
from pipeline.sources.layouts import registry
from runtime import signals

IMAGE_SIZE = 224
MARGIN_FRAC = 0.15
QUALITY = 95


def rows(root: str) -> list[annotations.Row]:
    """Return the usable rows of the eight classes."""
    release = registry.recognise(Path(root), base.Request())
    items = [item for part in release.parts() for item in registry.read(root, part)]
    return [row for row in items if isinstance(row, annotations.Row) and row.label < 8]


def crop(root: str, row: annotations.Row) -> bytes | None:
    """Read, decode, crop, resize and encode with OpenCV; None for what OpenCV cannot decode."""
    path = Path(root, row.path)
    content = b""
    if path.is_file():
        content = path.read_bytes()
    if row.box is None or not content:
        return None
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    if pixels is None:
        return None
    x, y, width, height = row.box
    side = round(max(width, height) * (1 + 2 * MARGIN_FRAC))
    left = round(x + width / 2 - side / 2)
    top = round(y + height / 2 - side / 2)
    inside = pixels[max(top, 0) : max(top + side, 0), max(left, 0) : max(left + side, 0)]
    if not inside.size:
        return None
    edges = (
        max(-top, 0),
        max(top + side - pixels.shape[0], 0),
        max(-left, 0),
        max(left + side - pixels.shape[1], 0),
    )
    padded = cv2.copyMakeBorder(inside, *edges, cv2.BORDER_CONSTANT)
    face = cv2.resize(padded, (IMAGE_SIZE, IMAGE_SIZE), interpolation=cv2.INTER_AREA)
    return cv2.imencode(".jpg", face, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()


def _crop_many(work: tuple[str, list[annotations.Row]]) -> int:
    cv2.setNumThreads(1)
    return sum(crop(work[0], row) is not None for row in work[1])


def bare(root: str, _: str) -> None:
    """Crop in a loop in as many processes as there are cores; write nothing."""
    usable = rows(root)
    cores = len(os.sched_getaffinity(0))
    with multiprocessing.Pool(cores, signals.end_with_parent) as pool:
        print(sum(pool.map(_crop_many, [(root, usable[i::cores]) for i in range(cores)])))


def _builder(root: str, *, with_beam: bool) -> type:
    """Return a plain TFDS builder whose examples come from a generator, or from Beam."""
    import tensorflow_datasets as tfds  # Here: the bare loop does without.

    from affectnet_tfds import features

    class PlainFaces(tfds.core.GeneratorBasedBuilder):
        VERSION = tfds.core.Version("1.0.0")

        def _info(self) -> tfds.core.DatasetInfo:
            described = features.features(image_size=IMAGE_SIZE, num_classes=8)
            kept = {name: described[name] for name in ("image", "label", "filename")}
            return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(kept))

        def _split_generators(self, dl_manager: Any, pipeline: Any = None) -> dict[str, Any]:
            by_split = {
                split: [row for row in rows(root) if row.split == split]
                for split in ("train", "validation")
            }
            return {
                split: self._generate_examples(usable)
                for split, usable in by_split.items()
                if usable
            }

        def _generate_examples(self, usable: list[annotations.Row]) -> Any:
            if not with_beam:
                return (pair for row in _unique(usable) for pair in _example(row, root))
            import apache_beam as beam  # Here: only this peer needs it.

            return (
                beam.Create(list(_unique(usable))) | beam.Reshuffle() | beam.FlatMap(_example, root)
            )

    return PlainFaces


def _unique(usable: list[annotations.Row]) -> Iterator[annotations.Row]:
    """Yield the first row of each file name: TFDS refuses duplicate keys."""
    seen = set()
    for row in usable:
        if row.filename not in seen:
            seen.add(row.filename)
            yield row


def _example(row: annotations.Row, root: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if content := crop(root, row):
        yield row.filename, {"image": content, "label": row.label, "filename": row.filename}


def tfds_generator(root: str, output: str) -> None:
    """Build with a plain TFDS builder in one process."""
    _builder(root, with_beam=False)(data_dir=output).download_and_prepare()


def tfds_beam(root: str, output: str) -> None:
    """Build with a plain TFDS Beam builder, with as many workers as there are cores."""
    import tensorflow_datasets as tfds  # Here: the bare loop does without.
    from apache_beam.options import pipeline_options

    workers = len(os.sched_getaffinity(0))
    flags = ["--direct_running_mode=multi_processing", f"--direct_num_workers={workers}"]
    options = pipeline_options.PipelineOptions(flags)
    config = tfds.download.DownloadConfig(beam_runner="FnApiRunner", beam_options=options)
    _builder(root, with_beam=True)(data_dir=output).download_and_prepare(download_config=config)


def _cropped(item: dict[str, Any], root: str) -> dict[str, Any]:
    """Return what the data libraries store of a row, which they carry as a dictionary."""
    cv2.setNumThreads(1)
    row = annotations.Row(**item["row"])
    return {"image": crop(root, row) or b"", "label": row.label, "filename": row.filename}


def hf_datasets(root: str, output: str) -> None:
    """Build with Hugging Face datasets: `map` with as many processes as there are cores."""
    import datasets  # Here: only this peer needs it.

    cores = len(os.sched_getaffinity(0))
    table = datasets.Dataset.from_list([{"row": row._asdict()} for row in rows(root)])
    mapped = table.map(
        _cropped, fn_kwargs={"root": root}, num_proc=cores, remove_columns=table.column_names
    )
    mapped.filter(len, input_columns="image").save_to_disk(output, num_proc=cores)


def ray_data(root: str, output: str) -> None:
    """Build with Ray Data: `map` on all cores into TFRecords, on a Ray of its own."""
    import ray  # Here: only this peer needs it.

    cores = len(os.sched_getaffinity(0))
    # Ray takes the address of the way to the internet, and waits in vain where there is none.
    ray.init(
        num_cpus=cores,
        include_dashboard=False,
        log_to_driver=False,
        _node_ip_address="127.0.0.1",
    )
    items = [{"row": row._asdict()} for row in rows(root)]
    found = ray.data.from_items(items, override_num_blocks=cores * 8)
    cropped = found.map(_cropped, fn_kwargs={"root": root})
    cropped.filter(lambda item: len(item["image"]) > 0).write_tfrecords(output)
    ray.shutdown()


def img2dataset(root: str, output: str) -> None:
    """Build with the img2dataset on the PATH: the middle of each image, not the face.

    It reads from a server on this machine.

    Raises:
      RuntimeError: if it fails on more than 2 % of the images.
    """
    usable = rows(root)
    folder = Path(output)
    folder.mkdir(parents=True)
    with _served(root) as address:
        urls = folder / "urls.txt"
        urls.write_text(
            "".join(f"{address}/{urllib.parse.quote(row.path)}\n" for row in usable),
            encoding="utf-8",
        )
        flags = {
            "url_list": urls, "output_folder": folder / "shards", "output_format": "webdataset",
            "image_size": IMAGE_SIZE, "resize_mode": "center_crop", "encode_quality": QUALITY,
            "processes_count": len(os.sched_getaffinity(0)), "thread_count": 16,
            "number_sample_per_shard": 2_000,
        }  # fmt: skip
        command = ["img2dataset", *(f"--{name}={value}" for name, value in flags.items())]
        # Without the variable one of its libraries looks up its newest version on the internet.
        subprocess.run(command, check=True, env={**os.environ, "NO_ALBUMENTATIONS_UPDATE": "1"})
    stats = (folder / "shards").glob("*_stats.json")
    written = sum(json.loads(path.read_text(encoding="utf-8"))["successes"] for path in stats)
    if written < 0.98 * len(usable):
        raise RuntimeError(f"img2dataset wrote {written} of {len(usable)} images")


@contextlib.contextmanager
def _served(root: str) -> Iterator[str]:
    """Serve a folder over HTTP on this machine while the block runs."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "http.server",
        str(port),
        "--bind=127.0.0.1",
        f"--directory={root}",
    ]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            with (
                contextlib.suppress(ConnectionRefusedError),
                socket.create_connection(("127.0.0.1", port)),
            ):
                break
            if server.poll() is not None:
                raise RuntimeError(f"{' '.join(command)} ended with {server.returncode}")
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


PEERS = {
    "bare": bare,
    "tfds_beam": tfds_beam,
    "tfds_generator": tfds_generator,
    "hf_datasets": hf_datasets,
    "ray_data": ray_data,
    "img2dataset": img2dataset,
}

if __name__ == "__main__":
    PEERS[sys.argv[1]](sys.argv[2], sys.argv[3])
