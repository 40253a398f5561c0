"""TFDS's own test case of a builder, on a small copy of AffectNet."""

import pytest
import tensorflow_datasets as tfds

import affectnet_tfds
from runtime import machine
from tests.pipeline import conftest

pytestmark = pytest.mark.slow


class TestAffectnetFaces(tfds.testing.DatasetBuilderTestCase):
    """Checks registration, metadata, generation, and reading of the standard config."""

    DATASET_CLASS = affectnet_tfds.AffectnetFaces
    BUILDER_CONFIG_NAMES_TO_TEST = ["affectnet8"]
    SPLITS = {"train": 4, "validation": 2}
    MOCK_OUT_FORBIDDEN_OS_FUNCTIONS = False  # The job has storage of its own for every system.

    def test_session(self, *args, **kwargs):
        """Return TensorFlow's session, which tests of TFDS ask for by this name."""
        return super().test_session(*args, **kwargs)

    test_session.__test__ = False  # It is no test, and TensorFlow's would skip itself.

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def copy_of_affectnet(cls, tmp_path_factory):
        """Two neutral and two happy rows in train, one of each in validation."""
        writer = conftest.ReleaseWriter(tmp_path_factory.mktemp("release"))
        for label in (0, 1):
            for table in ("training", "training", "validation"):
                writer.add(table, label)
        cls.EXAMPLE_DIR = str(writer.write())
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(machine, "cpu_count", lambda: 1)  # No worker processes for six images.
            yield
