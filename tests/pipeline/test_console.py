"""What the job says at its end."""

import pytest

from pipeline import console


@pytest.mark.parametrize(
    ("count", "said"), [(1, "1 picture is"), (2, "2 pictures are"), (2372, "2,372 pictures are")]
)
def test_one_picture_is_and_several_are(count, said):
    assert console._pictures([()] * count) == said
