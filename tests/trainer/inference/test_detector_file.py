"""Detector files: the three families are read as their authors define them, in image pixels."""

import numpy as np
import pytest

from runtime import errors
from tests.trainer.inference import samples
from trainer.inference import detector_file, face_detector, images

onnx = pytest.importorskip("onnx", reason="onnx is not installed (extra: export)")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (extra: export)")


def write(path, *, shape, **outputs) -> str:
    """Write a detector whose outputs are these where its first pixel is white, else all 0."""
    from onnx import TensorProto, helper, numpy_helper

    first = [0] * len(shape)
    nodes = [
        helper.make_node("Slice", ["image", "start", "end"], ["corner"]),
        helper.make_node("ReduceMax", ["corner"], ["value"], keepdims=0),
        helper.make_node("Greater", ["value", "zero"], ["is_white"]),
        helper.make_node("Cast", ["is_white"], ["seen"], to=TensorProto.FLOAT),
        *(helper.make_node("Mul", [f"{name}_all", "seen"], [name]) for name in outputs),
    ]
    constants = {
        "start": np.array(first),
        "end": np.array([1] * len(shape)),
        "zero": np.float32(0.5),
        **{f"{name}_all": np.asarray(value, np.float32) for name, value in outputs.items()},
    }
    graph = helper.make_graph(
        nodes,
        "detector",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    opset = helper.make_opsetid("", 17)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=9), path)
    return str(path)


def image_of(width: int, height: int, *, first: int = 255) -> images.InputImage:
    pixels = np.full((height, width, 3), first, np.uint8)
    return images.from_pixels(pixels, name="a")


def test_boxes_and_scores_are_fractions_of_the_input_that_the_image_is_fitted_into(tmp_path):
    path = write(
        tmp_path / "ultra.onnx",
        shape=[1, 3, 240, 320],
        boxes=[[[0.1, 0.2, 0.3, 0.5], [0.11, 0.2, 0.31, 0.5], [0.5, 0.5, 0.6, 0.6]]],
        scores=[[[0.1, 0.9], [0.2, 0.8], [0.5, 0.5]]],
    )
    (face,) = face_detector.detector(path)(image_of(640, 480))
    assert face.box == pytest.approx((64, 96, 128, 144)) and face.points is None
    assert face.confidence == pytest.approx(0.9)
    (face,) = face_detector.detector(path)(image_of(320, 480))  # Black to the right of it.
    assert face.box == pytest.approx((64, 96, 128, 144))
    assert len(face_detector.detector(path, min_confidence=0.4)(image_of(640, 480))) == 2
    assert not face_detector.detector(path)(image_of(640, 480, first=0))


def test_yunets_maps_are_read_as_opencv_reads_them(tmp_path):
    outputs = {}
    for stride in (8, 16, 32):
        cells = (64 // stride) ** 2
        outputs |= {
            f"cls_{stride}": np.zeros((1, cells, 1)),
            f"obj_{stride}": np.zeros((1, cells, 1)),
            f"bbox_{stride}": np.zeros((1, cells, 4)),
            f"kps_{stride}": np.zeros((1, cells, 10)),
        }
    cell = 1 * 4 + 2  # Row 1, column 2 of the map of stride 16.
    outputs["cls_16"][0, cell], outputs["obj_16"][0, cell] = 0.9, 0.9
    outputs["bbox_16"][0, cell] = [0.5, 0.25, np.log(2), np.log(1.5)]
    outputs["kps_16"][0, cell] = np.arange(10) / 10
    path = write(tmp_path / "yunet.onnx", shape=[1, 3, 64, 64], **outputs)
    (face,) = face_detector.detector(path)(image_of(128, 128))
    assert face.confidence == pytest.approx(0.9)
    middle, size = np.array([2.5, 1.25]) * 16, np.array([32, 24])
    assert face.box == pytest.approx((*(2 * (middle - size / 2)), *(2 * size)), rel=1e-5)
    points = (np.arange(10).reshape(5, 2) / 10 + [2, 1]) * 16
    np.testing.assert_allclose(face.points, 2 * points, rtol=1e-5)


def test_blazefaces_anchors_are_two_a_cell_of_8_and_six_a_cell_of_16(tmp_path):
    numbers, logits = np.zeros((1, 896, 16)), np.full((1, 896, 1), -9.0)
    anchor = 512 + 6 * (3 * 8 + 5) + 4  # Row 3, column 5 of the map of stride 16.
    logits[0, anchor] = 3
    numbers[0, anchor, :4] = [1, -2, 40, 50]
    path = write(
        tmp_path / "blaze.onnx", shape=[1, 128, 128, 3], regressors=numbers, classificators=logits
    )
    (face,) = face_detector.detector(path)(image_of(128, 64))
    middle = np.array([5.5 * 16 + 1, 3.5 * 16 - 2])
    assert face.box == pytest.approx((*(middle - [20, 25]), 40, 50), rel=1e-5)
    assert face.confidence == pytest.approx(1 / (1 + np.exp(-3)))


def test_a_file_of_any_size_is_given_the_image_at_640_pixels_at_most():
    sizes = [(100, 60), (640, 480), (4000, 3000), (3000, 4000)]
    found = [detector_file._input_size((None, None), image_size=size) for size in sizes]
    assert found == [(64, 128), (480, 640), (480, 640), (640, 480)]


def test_a_file_of_other_outputs_or_inputs_is_refused(tmp_path):
    other = write(tmp_path / "other.onnx", shape=[1, 3, 64, 64], faces=np.zeros((1, 4)))
    with pytest.raises(errors.UserError, match=r"has the outputs faces: known are .*boxes\.csv"):
        face_detector.detector(other)
    flat = write(tmp_path / "flat.onnx", shape=[1, 64], boxes=np.zeros(4), scores=np.zeros(1))
    with pytest.raises(errors.UserError, match="images are"):
        face_detector.detector(flat)
    (tmp_path / "no.onnx").write_bytes(b"nothing")
    with pytest.raises(errors.UserError, match="cannot read the model"):
        face_detector.detector(str(tmp_path / "no.onnx"))
    odd = write(tmp_path / "odd.onnx", shape=[1, 3, 64, 64], boxes=np.zeros(6), scores=np.zeros(3))
    with pytest.raises(errors.UserError, match="cannot read the outputs of the model"):
        face_detector.detector(odd)(images.from_pixels(samples.noise(width=9, height=9), name="a"))
