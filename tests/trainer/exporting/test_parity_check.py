"""Parity check: the difference of outputs, and which exports are refused."""

import numpy as np
import pytest

from runtime import errors
from trainer.exporting import parity_check


@pytest.mark.parametrize(
    ("outputs", "wanted", "largest"),
    [
        ({"a": [1.0, 2.0]}, {"a": [1.0, 2.5]}, 0.5),
        ({"a": [1.0], "b": [3.0]}, {"a": [1.0], "b": [1.0]}, 2.0),
        ({"a": [1.0]}, {"b": [1.0]}, np.inf),
        ({"a": [1.0]}, {"a": [1.0, 2.0]}, np.inf),
        ({"a": [np.nan]}, {"a": [1.0]}, np.inf),
    ],
)
def test_the_difference_is_the_largest_of_any_output(outputs, wanted, largest):
    arrays = [
        {name: np.array(values) for name, values in each.items()} for each in (outputs, wanted)
    ]
    assert parity_check.difference(*arrays) == largest


@pytest.mark.parametrize("largest", [1.1e-4, np.inf, np.nan])
def test_an_export_that_differs_by_more_than_the_tolerance_is_refused(largest):
    parity_check.check(parity_check.Comparison(on="a", largest=1e-4), path="model.onnx")
    with pytest.raises(errors.UserError, match="may differ from its network by 0.0001: model.onnx"):
        parity_check.check(parity_check.Comparison(on="a", largest=largest), path="model.onnx")
