"""The walk below a folder: which folders are listed."""

from pipeline.sources import folder_walk
from tests.pipeline.sources.conftest import put


def test_hidden_folders_and_many_numbered_ones_are_not_searched(tmp_path):
    put(
        tmp_path,
        "a/.cache/training.csv",
        "__MACOSX/training.csv",
        "b/2017/x.jpg",
        *(f"a/{i}/x.jpg" for i in range(21)),
    )
    assert [folder.relative for folder in folder_walk.walk(tmp_path)] == ["", "a", "b", "b/2017"]
