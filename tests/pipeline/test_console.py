"""What the job says at its end."""

import pytest

from pipeline import console


@pytest.mark.parametrize(
    ("count", "said"), [(1, "1 image is"), (2, "2 images are"), (2372, "2,372 images are")]
)
def test_one_picture_is_and_several_are(count, said):
    assert console._images([()] * count) == said
