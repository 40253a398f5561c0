"""Fixtures: a small published version made without the job, run contexts on four logical CPUs."""

import json
import os
import pathlib
import shutil
import types

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from affectnet_tfds import dataset_paths, face_crop, features, labels
from affectnet_tfds.reader import shard_index
from synthetic_faces.examples import dataset_rows, scenes
from trainer.config import run_config
from trainer.data import dataset_version
from trainer.distributed import devices
from trainer.monitoring import run_logger
from trainer.reports import figures, files
from trainer.run import (
    best_weights,
    context,
    data_provenance,
    ensemble,
    model_folder,
    trained_run,
)
from trainer.training import setup, trainer

SIZE = 32
COUNTS = {"train": (21, 21, 20), "validation": (19, 18)}
"""Examples of each shard: 62 and 37, so that no batch size of the tests divides them."""

GEOMETRY = face_crop.Geometry(image_size=SIZE, margin_frac=0.15, align=False)
"""Crop settings of the faces of `photo_run`, as if of the job."""

SMALL = {
    "batch_size": 16,
    "conv_filters": (4, 8),
    "dense_units": (16,),
    "epochs": 3,
    "learning_rate": 0.01,
}
"""Settings that train in a second: four steps an epoch, the last of 14 examples."""

tf.config.set_visible_devices([], "GPU")  # Else this process would take the memory of all.
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 4
)


@pytest.fixture(scope="session", autouse=True)
def one_confusion_figure():
    """Draw the confusion matrix of TensorBoard once, not after each epoch of each test's run.

    It takes longer than an epoch of these tests; programs in processes of their own draw each.
    """
    drawn: dict[int, bytes] = {}

    def draw(classification, *, split):
        num_classes = len(classification.class_names)
        if num_classes not in drawn:
            real = figures.confusion_figure(classification, split=split)
            drawn[num_classes] = figures.png(real)
        return drawn[num_classes]

    once = types.SimpleNamespace(confusion_figure=draw, png=lambda png: png)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_logger, "figures", once)
        yield


@pytest.fixture(scope="module")
def without_figures():
    """Write reports with empty PNG files: drawing the two takes longer than all else."""
    names = ("confusion_figure", "curves_figure")
    blank = types.SimpleNamespace(png=lambda _: b"", **dict.fromkeys(names, lambda *_, **__: None))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "figures", blank)
        yield


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory) -> pathlib.Path:
    """A data_dir with config `sample`: class k is a bright square in cell k of a 3 x 3 grid."""
    root = tmp_path_factory.mktemp("data")
    write_version(root / dataset_paths.DATASET_NAME / "sample" / "1.0.0")
    return root


@pytest.fixture(scope="session")
def version(data_dir) -> dataset_version.Version:
    return dataset_version.open_version(data_dir / dataset_paths.DATASET_NAME / "sample" / "1.0.0")


def write_version(folder: pathlib.Path, *, num_classes: int = 8, encoding: str = "jpeg") -> None:
    folder.mkdir(parents=True)
    record = features.features(image_size=SIZE, num_classes=num_classes, encoding=encoding)
    serializer = tfds.core.ExampleSerializer(record.get_serialized_info())
    splits = [
        _write_split(name, folder=folder, record=record, serializer=serializer) for name in COUNTS
    ]
    tfds.folder_dataset.write_metadata(
        data_dir=folder, features=record, split_infos=splits, supervised_keys=("image", "label")
    )


def _write_split(name, *, folder, record, serializer) -> tfds.core.SplitInfo:
    template = tfds.core.ShardedFileTemplate(
        dataset_name=dataset_paths.DATASET_NAME,
        split=name,
        filetype_suffix="tfrecord",
        data_dir=folder,
    )
    generator, num_bytes = np.random.default_rng(len(name)), 0
    for shard, count in enumerate(COUNTS[name]):
        path = template.sharded_filepath(shard_index=shard, num_shards=len(COUNTS[name]))
        with tf.io.TFRecordWriter(str(path)) as writer:
            for i in range(count):
                example = make_example(
                    generator,
                    name=f"{name}/{shard}/{i}",
                    num_classes=record["label"].num_classes,
                )
                if getattr(record["image"], "encoding_format", "raw") != "jpeg":
                    example["image"] = tf.io.decode_jpeg(example["image"]).numpy()
                example = record.encode_example(example)
                serialized = serializer.serialize_example(example)
                writer.write(serialized)
                num_bytes += len(serialized)
        index = pathlib.Path(path).with_name(dataset_paths.index_name(pathlib.Path(path).name))
        rows = shard_index.of_shard(pathlib.Path(path).read_bytes())
        index.write_bytes(shard_index.encode(rows))
    return tfds.core.SplitInfo(
        name=name, shard_lengths=list(COUNTS[name]), num_bytes=num_bytes, filename_template=template
    )


def make_example(generator: np.random.Generator, *, name: str, num_classes: int = 8) -> dict:
    label = int(generator.integers(num_classes))
    return {
        "image": tf.io.encode_jpeg(make_image(generator, label=label), quality=95).numpy(),
        "label": label,
        "valence": np.float32(np.nan),
        "arousal": np.float32(0.5),
        "landmarks": np.zeros((68, 2), np.float32),
        "bbox": tfds.features.BBox(0.0, 0.0, 1.0, 1.0),
        "filename": f"{name}.jpg",
        "subset": labels.SUBSETS[0],
        "copy": 0,
    }


def make_image(generator: np.random.Generator, *, label: int) -> np.ndarray:
    image = generator.integers(0, 80, (SIZE, SIZE, 3)).astype(np.uint8)
    row, column = divmod(label, 3)
    third = SIZE // 3
    image[row * third : (row + 1) * third, column * third : (column + 1) * third] += 150
    return image


@pytest.fixture(scope="session")
def make_ctx(version):
    """Return a function that makes a run context on 1, 2 or 4 of the process's logical CPUs."""

    def make(*, num_replicas: int = 1, **settings) -> context.RunContext:
        names = [f"/cpu:{i}" for i in range(num_replicas)]
        return context.RunContext(
            settings=run_config.make({**SMALL, **settings}),
            version=version,
            strategy=devices.strategy(names),
            device_line="test",
        )

    return make


@pytest.fixture(scope="session")
def photo_run(version, tmp_path_factory, make_ctx) -> trained_run.Run:
    """A trained run with crop settings for new photographs, and with valence and arousal."""
    model_dir = tmp_path_factory.mktemp("runs") / "run"
    ctx = make_ctx(
        model_dir=str(model_dir),
        data_dir=str(version.path.parents[2]),
        epochs=1,
        image_size=16,
        heads="expression+va",
    )
    model_folder.claim(ctx.settings)
    train, validation = (context.read_split(ctx, split=split) for split in ("train", "validation"))
    network = setup.model(ctx)
    trainer.Trainer(
        ctx, network=network, model_dir=model_dir, train=train, selection=validation
    ).train()
    data_provenance.save(version, model_dir=model_dir)
    facts = json.loads((model_dir / data_provenance.FILE).read_text())
    (model_dir / data_provenance.FILE).write_text(json.dumps({**facts, "crop": GEOMETRY._asdict()}))
    return trained_run.find(str(model_dir))


@pytest.fixture(scope="session")
def ensemble_of_two(photo_run, version, tmp_path_factory, make_ctx) -> ensemble.Ensemble:
    """`photo_run`, and a run of another image size and seed that is judged on mirror images too."""
    other = untrained(
        make_ctx,
        folder=tmp_path_factory.mktemp("runs") / "other",
        data_dir=version.path.parents[2],
        seed=5,
        image_size=24,
        tta="flip",
        heads="expression+va",
    )
    shutil.copy(photo_run.model_dir / data_provenance.FILE, other.model_dir)
    found = ensemble.find(f"{photo_run.model_dir},{other.model_dir}")
    assert isinstance(found, ensemble.Ensemble)
    return found


def untrained(make_ctx, *, folder: pathlib.Path, data_dir, **settings) -> trained_run.Run:
    """Make a run on the config `sample` with weights as they were drawn, of epoch 2."""
    ctx = make_ctx(model_dir=str(folder), data_dir=str(data_dir), **settings)
    model_folder.claim(ctx.settings)
    data_provenance.save(ctx.version, model_dir=folder)
    facts = {"epoch": 2, "chosen_by": "accuracy on validation"}
    best_weights.save_best(setup.model(ctx), model_dir=folder, facts=facts)
    return trained_run.find(str(folder))


def write_metrics(folder: pathlib.Path, *, model: str) -> pathlib.Path:
    """Write the metrics.json of a report on 7 examples into a new folder, and return the folder."""
    scores = {"precision": 0.75, "recall": None, "f1": 0.5, "support": 7}
    content = {
        "protocol": {"model": model, "split": "validation", "selection": "epoch 1 of 1"},
        "num_examples": 7,
        "accuracy": 0.25,
        "balanced_accuracy": 0.5,
        "macro": {"f1": 0.125},
        "m_measure": None,
        "per_class": [{"name": "happy", **scores}],
    }
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_text(json.dumps(content))
    return folder


@pytest.fixture(scope="session")
def drawn(tmp_path_factory):
    """A photograph of one drawn face, and its annotation."""
    content, annotation = scenes.draw(
        dataset_rows.Row(3, "train", "manual", 3, 1, "0" * 56, ".jpg"), seed=5
    )
    path = tmp_path_factory.mktemp("drawn") / "face.jpg"
    path.write_bytes(content)
    return path, annotation
