"""Models of others, made in a moment."""

import numpy as np


def linear_onnx(path, *, weights, shape, outputs=("scores",)):
    """Write an ONNX file of one matrix product: logits of flattened images."""
    from onnx import TensorProto, helper, numpy_helper, save

    nodes = [helper.make_node("Flatten", ["faces"], ["flat"])]
    nodes += [helper.make_node("MatMul", ["flat", "weights"], [name]) for name in outputs]
    graph = helper.make_graph(
        nodes,
        "linear",
        [helper.make_tensor_value_info("faces", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(weights.astype(np.float32), "weights")],
    )
    opset = helper.make_opsetid("", 17)
    save(helper.make_model(graph, opset_imports=[opset], ir_version=9), path)
    return path
