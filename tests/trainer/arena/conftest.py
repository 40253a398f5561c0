"""Adapters as files, and reports without figures."""

import pytest
import yaml

from affectnet_tfds import labels

NAMES = list(labels.class_names(8))
PLAIN = {"classes": NAMES, "color": "rgb", "scaling": "0..255", "output_kind": "probabilities"}


@pytest.fixture
def write_adapter(tmp_path):
    """Return a function that writes an adapter: the plain one with changes, None to leave out."""

    def write(**changes):
        path = tmp_path / "adapter.yaml"
        keys = {**PLAIN, **changes}
        path.write_text(yaml.safe_dump({k: v for k, v in keys.items() if v is not None}))
        return path

    return write


@pytest.fixture(scope="module", autouse=True)
def no_figures(without_figures):
    """Draw no figures in these tests."""
