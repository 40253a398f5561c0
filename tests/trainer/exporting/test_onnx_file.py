"""ONNX files: what one says of itself, to a person who has nothing else."""

import json

import onnx

from runtime import installation
from trainer.exporting import onnx_file


def test_the_file_says_what_it_is_and_what_made_it(exported, export_run):
    folder, _, _ = exported("onnx")
    model = onnx.load(folder / "model.onnx")
    assert [(each.domain, each.version) for each in model.opset_import][0] == ("", onnx_file.OPSET)
    assert (model.producer_name, model.producer_version) == (
        "affectnet-faces",
        installation.version(),
    )
    assert model.model_version == 1  # The weights are those of epoch 1.
    assert f"trained on {export_run.data.name}. Trained on drawn faces" in model.doc_string
    (crops,), (probabilities,) = model.graph.input, model.graph.output
    assert "uint8 RGB" in crops.doc_string
    assert "in the order neutral, happy, sad" in probabilities.doc_string
    facts = {each.key: each.value for each in model.metadata_props}
    assert list(facts) == [
        "class_names",
        "data",
        "data_fingerprint",
        "crop",
        "image_size",
        "best_epoch",
    ]
    assert facts["data_fingerprint"] == export_run.data.fingerprint
    assert json.loads(facts["image_size"]) == [16] and json.loads(facts["best_epoch"]) == [1]


def test_the_opset_is_the_newest_that_the_converter_knows():
    from tf2onnx import constants

    assert max(constants.OPSET_TO_IR_VERSION) == onnx_file.OPSET
