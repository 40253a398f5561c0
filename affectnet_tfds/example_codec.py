"""Example serialization: an example of the data set to tf.train.Example bytes and back.

Owns the bytes, made with protobuf alone. TFDS's serializer was rejected: it writes the map of
features in an order that differs from process to process, and importing TensorFlow would cost every
worker seconds and gigabytes. A test compares what is written here with what TFDS reads.
"""

from typing import Any, NamedTuple

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError as _DecodeError

from affectnet_tfds import features


class Example(NamedTuple):
    """One example, with the features of affectnet_tfds/features.py."""

    image: bytes  # encoded
    label: int
    valence: float
    arousal: float
    landmarks: np.ndarray  # float32[68, 2]
    bbox: tuple[float, ...]  # ymin, xmin, ymax, xmax
    filename: str
    subset: int
    copy: int
    soft_label: tuple[float, ...] = ()  # 8 numbers where the config has them
    groups: tuple[tuple[str, str], ...] = ()  # name and text of each attribute, by name


_GROUP = f"{features.GROUPS}/"
"""Begins the keys of attributes: TFDS joins the names of nested features so."""


def _message_class() -> Any:
    """Build tf.train.Example's message class from its public definition
    (tensorflow/core/example/*.proto).

    The three kinds of list are declared as alternatives with the field numbers of the original, in
    a pool and a package of their own, so that TensorFlow may be loaded in the same process.
    """
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="affectnet_faces.proto", package="affectnet_faces"
    )
    file.syntax = "proto3"

    def message(
        name: str, *fields: tuple[str, int, int, int, str]
    ) -> descriptor_pb2.DescriptorProto:
        added = file.message_type.add(name=name)
        for field_name, number, label, kind, type_name in fields:
            added.field.add(
                name=field_name,
                number=number,
                label=label,
                type=kind,
                type_name=f".affectnet_faces.{type_name}" if type_name else None,
            )
        return added

    one, many = field.LABEL_OPTIONAL, field.LABEL_REPEATED
    message("BytesList", ("value", 1, many, field.TYPE_BYTES, ""))
    message("FloatList", ("value", 1, many, field.TYPE_FLOAT, ""))
    message("Int64List", ("value", 1, many, field.TYPE_INT64, ""))
    message(
        "Feature",
        ("bytes_list", 1, one, field.TYPE_MESSAGE, "BytesList"),
        ("float_list", 2, one, field.TYPE_MESSAGE, "FloatList"),
        ("int64_list", 3, one, field.TYPE_MESSAGE, "Int64List"),
    )
    by_name = message("Features", ("feature", 1, many, field.TYPE_MESSAGE, "Features.FeatureEntry"))
    entry = by_name.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, label=one, type=field.TYPE_STRING)
    entry.field.add(
        name="value",
        number=2,
        label=one,
        type=field.TYPE_MESSAGE,
        type_name=".affectnet_faces.Feature",
    )
    message("Example", ("features", 1, one, field.TYPE_MESSAGE, "Features"))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("affectnet_faces.Example"))


_Message = _message_class()


def serialize(example: Example) -> bytes:
    """Return the example as tf.train.Example bytes, the same in every process."""
    message = _Message()
    feature = message.features.feature
    feature["image"].bytes_list.value.append(example.image)
    feature["filename"].bytes_list.value.append(example.filename.encode())
    for name in ("label", "subset", "copy"):
        feature[name].int64_list.value.append(getattr(example, name))
    for name in ("valence", "arousal"):
        feature[name].float_list.value.append(getattr(example, name))
    feature["bbox"].float_list.value.extend(example.bbox)
    feature["landmarks"].float_list.value.extend(example.landmarks.ravel().tolist())
    if example.soft_label:
        feature["soft_label"].float_list.value.extend(example.soft_label)
    for name, text in example.groups:
        feature[f"{_GROUP}{name}"].bytes_list.value.append(text.encode())
    content: bytes = message.SerializeToString(deterministic=True)
    return content


def parse(content: bytes) -> Example:
    """Return what `serialize` wrote.

    Raises:
      ValueError: if the bytes are no example of this data set.
    """
    message = _Message()
    try:
        message.ParseFromString(content)
        feature = message.features.feature
        numbers = {name: feature[name].int64_list.value[0] for name in ("label", "subset", "copy")}
        floats = {name: feature[name].float_list.value[0] for name in ("valence", "arousal")}
        return Example(
            image=feature["image"].bytes_list.value[0],
            landmarks=np.array(feature["landmarks"].float_list.value, np.float32).reshape(-1, 2),
            bbox=tuple(feature["bbox"].float_list.value),
            filename=feature["filename"].bytes_list.value[0].decode(),
            soft_label=tuple(feature["soft_label"].float_list.value),
            groups=groups_of(feature),
            **numbers,
            **floats,
        )
    except (_DecodeError, IndexError, ValueError) as error:
        raise ValueError(f"it is no example of this data set ({error})") from error


def groups_of(feature: Any) -> tuple[tuple[str, str], ...]:
    """Return the name and text of each attribute of a record, by name.

    Args:
      feature: the map of a tf.train.Example's features.
    """
    keys = sorted(key for key in feature if key.startswith(_GROUP))
    return tuple(
        (key.removeprefix(_GROUP), feature[key].bytes_list.value[0].decode()) for key in keys
    )
