"""Rebuild face-api's expression network as a Keras file, for the comparison with peers.

`npm pack @vladmandic/face-api`, unpacked, has the weights of a network of seven expressions (MIT
license) as a TensorFlow.js manifest of 8-bit numbers. python -m benchmarks.face_api_model
--package_dir=package --output=face_api.keras reads them, and builds the network that
src/faceFeatureExtractor and src/faceExpressionNet of that package describe: four blocks of four
convolutions whose outputs are added, and one dense layer. The file takes RGB images of 112 px, less
the mean (122.782, 117.001, 104.298) and divided by 255, and gives logits of neutral, happy, sad,
anger, fear, disgust and surprise.
"""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from absl import flags

from benchmarks import command_line

PACKAGE_DIR = flags.DEFINE_string("package_dir", None, "the unpacked npm package", required=True)
OUTPUT = flags.DEFINE_string("output", "face_api.keras", "file to write")

_SIDE = 112
_FILTERS = (32, 64, 128, 256)
_CONVOLUTIONS = 4  # Of a block.


def weights(folder: Path) -> dict[str, np.ndarray]:
    """Return the weights of the manifest by name, float32; 8-bit ones are scale * value + min."""
    manifest = json.loads((folder / "face_expression_model-weights_manifest.json").read_text())
    content = (folder / "face_expression_model.bin").read_bytes()
    found, at = {}, 0
    for entry in manifest[0]["weights"]:
        quantised = entry.get("quantization")
        kind = np.dtype(np.uint8 if quantised else np.float32)
        count = math.prod(entry["shape"])
        values = np.frombuffer(content, kind, count, at).reshape(entry["shape"])
        at += count * kind.itemsize
        if quantised:
            values = values * np.float32(quantised["scale"]) + np.float32(quantised["min"])
        found[entry["name"]] = values.astype(np.float32)
    if at != len(content):
        raise ValueError(f"the manifest describes {at:,} of {len(content):,} bytes")
    return found


def build(values: Mapping[str, np.ndarray]) -> object:
    """Return the network, float[B, 112, 112, 3] to logits float[B, 7]."""
    import keras

    image = keras.Input((_SIDE, _SIDE, 3))
    x, kernels = image, {}
    for block, filters in enumerate(_FILTERS):
        total = None
        for i in range(_CONVOLUTIONS):
            name = f"dense{block}/conv{i}"
            about = {"padding": "same", "strides": 1 if i else 2, "name": name.replace("/", "_")}
            kind = keras.layers.SeparableConv2D if block or i else keras.layers.Conv2D
            layer = kind(filters, 3, **about)
            out = layer(x)
            out = keras.layers.ReLU()(out) if total is None else out
            total = out if total is None else keras.layers.Add()([total, out])
            x = keras.layers.ReLU()(total)
            parts = ("filters",) if kind is keras.layers.Conv2D else _SEPARABLE
            kernels[layer] = [values[f"{name}/{part}"] for part in (*parts, "bias")]
    x = keras.layers.AveragePooling2D(7, strides=2)(x)
    last = keras.layers.Dense(7, name="fc")
    network = keras.Model(image, last(keras.layers.Flatten()(x)))
    kernels[last] = [values["fc/weights"], values["fc/bias"]]
    for layer, arrays in kernels.items():
        layer.set_weights(arrays)
    return network


_SEPARABLE = ("depthwise_filter", "pointwise_filter")


def main(argv: Sequence[str]) -> None:
    """Write the file."""
    network = build(weights(Path(PACKAGE_DIR.value, "model")))
    network.save(OUTPUT.value)  # type: ignore[attr-defined]
    print(f"{OUTPUT.value}: {network.count_params():,} parameters")  # type: ignore[attr-defined]


if __name__ == "__main__":
    command_line.run(main)
