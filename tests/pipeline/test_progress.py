"""The bar of a build."""

import json

import pytest

from pipeline import progress


def finish_shard(folder, *, name, examples, rejects):
    content = {"num_examples": examples, "rejects": [["train"]] * rejects}
    (folder / f"affectnet_faces-{name}.json").write_text(json.dumps(content))


@pytest.mark.parametrize(("last", "total", "is_full"), [(True, 9, True), (False, 10, False)])
def test_a_bar_is_full_when_all_shards_are_there_whatever_was_rejected(
    tmp_path, last, total, is_full
):
    with progress.Bar(tmp_path, num_shards=2, num_examples=10) as bar:
        finish_shard(tmp_path, name="train-0", examples=4, rejects=1)
        if last:
            finish_shard(tmp_path, name="train-1", examples=5, rejects=0)
    (task,) = bar._bar.tasks
    assert (task.total, task.finished, task.fields["rejected"]) == (total, is_full, 1)
