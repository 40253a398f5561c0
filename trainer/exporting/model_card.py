"""The model card that is shipped with an export (Mitchell et al. 2019, "Model Cards for Model
Reporting").

Owns its text. Every number comes from the run's own files: nothing is measured or estimated here.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from trainer.exporting import parity_check
from trainer.run import trained_run

_DRAWN = """\
> **Trained on drawn faces, not on AffectNet or any photograph.** It shows that the programs work. It says nothing about
> people: do not use it on them.
"""

_LICENCE = """\
AffectNet is licensed by its authors, for research only. Neither its pictures nor its annotations may be redistributed,
and commercial use needs their consent: http://mohammadmahoor.com/affectnet/. A model holds no picture, but is made from
them: ask your own licence before you pass one on.
"""

_DRAWN_LICENCE = """\
Drawn faces are the project's own, and what was trained on them may be passed on under its licence (Apache-2.0). This
does not hold for what is trained on AffectNet:
"""

_LIMITS = """\
- It names the expression that annotators saw in a picture, not what a person feels. Faces do not show that reliably
  (Barrett et al. 2019, Psychological Science in the Public Interest 20(1)).
- AffectNet's labels are one annotator's each: on 36,000 pictures labelled twice, the two agreed on 60.7 %
  (Mollahosseini et al. 2019). No classifier should be trusted beyond that.
- The pictures were found by searching the web for words of emotion: people, ages and situations are not represented
  evenly, and accuracy was not measured by group.
- It expects one face, cut as the job cuts it. `python -m trainer.predict` does that; other margins cost accuracy.
- Not for decisions about people: hiring, policing, credit, insurance, medicine. In the European Union, emotion
  recognition at work and in education is prohibited but for medical and safety reasons (Regulation (EU) 2024/1689,
  Article 5(1)(f)).
"""

_USE = {
    "keras": """\
import keras
import numpy as np
import trainer.serving  # Of this project: the layers that the model is made of.

model = keras.saving.load_model("model.keras")
crops = np.zeros((1, {side}, {side}, 3), np.uint8)
print(model.get_layer("probabilities").class_names, model(crops)["probabilities"].numpy())""",
    "savedmodel": """\
import numpy as np
import tensorflow as tf

model = tf.saved_model.load("saved_model")
crops = np.zeros((1, {side}, {side}, 3), np.uint8)
names = model.signatures["class_names"]()["class_names"].numpy().astype(str)
print(names, model.signatures["serving_default"](crops=crops)["probabilities"].numpy())""",
    "onnx": """\
import json

import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession("model.onnx")
crops = np.zeros((1, {side}, {side}, 3), np.uint8)
names = json.loads(session.get_modelmeta().custom_metadata_map["class_names"])
print(names, session.run(["probabilities"], {{"crops": crops}})[0])""",
    "tflite": """\
import zipfile

import numpy as np
from ai_edge_litert.interpreter import Interpreter

names = zipfile.ZipFile("model.tflite").read("labels.txt").decode().split()
run = Interpreter(model_path="model.tflite").get_signature_runner("serving_default")
crops = np.zeros((1, {side}, {side}, 3), np.uint8)
print(names, run(crops=crops)["probabilities"])""",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Facts:
    """What a card says: the run, its judgement (metrics.json, if it was judged), and the export."""

    run: trained_run.Run
    best_epoch: int
    num_parameters: int
    metrics: Mapping[str, Any] | None
    heads: Mapping[str, tuple[int | None, ...]]
    """Shapes of the outputs beside the probabilities, by name."""
    format: str
    quantize: str
    compared: parity_check.Comparison


def text(facts: Facts) -> str:
    """Return the card as Markdown."""
    run = facts.run
    about = (
        f"{facts.format} export of {run.settings.model.model}, {facts.num_parameters:,} parameters, weights of epoch "
        f"{facts.best_epoch} of {run.settings.training.epochs}. It takes one cropped face a picture and gives a "
        f"probability for each of {len(run.data.class_names)} expressions."
    )
    parts = [
        "# Facial expression classifier",
        *([_DRAWN] if run.data.is_drawn else []),
        about,
        f"## Input and output\n\n{_interface(facts)}",
        f"## Use\n\n```python\n{_USE[facts.format].format(side=_side(facts))}\n```",
        f"## Data\n\n{_data(run)}",
        f"## Numbers\n\n{_numbers(facts.metrics)}",
        f"## The export against the network\n\n{_compared(facts)}",
        f"## Limits\n\n{_LIMITS}",
        "## Licence",
        *([_DRAWN_LICENCE] if run.data.is_drawn else []),
        _LICENCE,
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _side(facts: Facts) -> int:
    return facts.run.image_size if facts.quantize == "int8" else facts.run.data.stored_size


def _interface(facts: Facts) -> str:
    side = facts.run.image_size
    if facts.quantize == "int8":
        size = f"uint8 RGB [B, {side}, {side}, 3]. Integer models take this size only: resize crops by averaging"
        unit = "uint8, 256 times the probability"
    else:
        size = f"uint8 RGB [B, H, W, 3], any size: the model brings them to {side} x {side} itself"
        unit = "float32"
    names = ", ".join(f"{k} {name}" for k, name in enumerate(facts.run.data.class_names))
    heads = [
        f"- `{name}`: [{', '.join(str(n or 'B') for n in shape)}]."
        for name, shape in facts.heads.items()
    ]
    probabilities = f"- `probabilities`: {unit}, [B, {len(facts.run.data.class_names)}]: {names}."
    return "\n".join([f"- `crops`: {size}.", probabilities, *heads])


def _data(run: trained_run.Run) -> str:
    counts = ", ".join(f"{count:,} {split}" for split, count in run.data.counts.items())
    crop, cut = run.data.crop, "not recorded"
    if crop:
        aligned = "aligned by landmarks, " if crop["align"] else ""
        margin = f"margin {crop['margin_frac']:g} of the box's longer side on each side"
        cut = f"{aligned}{margin}, stored at {crop['image_size']} px as {run.data.encoding.upper()}"
    drawn = " (drawn faces)" if run.data.is_drawn else ""
    return (
        f"- {run.data.name}{drawn}: {counts} examples\n- fingerprint `{run.data.fingerprint}`\n"
        f"- faces: {cut}; shown to the network at {run.image_size} px"
    )


def _numbers(metrics: Mapping[str, Any] | None) -> str:
    if metrics is None:
        return "Not judged yet: `python -m trainer.evaluate --model_dir=…` does that."
    protocol = "\n".join(f"- {name}: {value}" for name, value in metrics["protocol"].items())
    whole = {
        "accuracy": metrics["accuracy"],
        "balanced accuracy": metrics["balanced_accuracy"],
        "macro F1": metrics["macro"]["f1"],
        "M measure (Hand & Till 2001)": metrics["m_measure"],
    }
    rows = [f"| {name} | {_number(value)} |" for name, value in whole.items()]
    table = ["| class | precision | recall | F1 | examples |", "|---|---|---|---|---|"] + [
        f"| {row['name']} | {_number(row['precision'])} | {_number(row['recall'])} | {_number(row['f1'])} "
        f"| {row['support']} |"
        for row in metrics["per_class"]
    ]
    return f"{protocol}\n\n| | |\n|---|---|\n" + "\n".join(rows) + "\n\n" + "\n".join(table)


def _compared(facts: Facts) -> str:
    compared = facts.compared
    lines = [f"- largest difference of an output: {compared.largest:.2g}, on {compared.on}"]
    if compared.exported_accuracy is not None:
        lines.append(
            f"- accuracy on {compared.num_judged:,} validation crops: {compared.exported_accuracy:.4f} exported, "
            f"{compared.network_accuracy:.4f} before"
        )
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
