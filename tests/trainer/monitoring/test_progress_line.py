import dataclasses

import pytest

from runtime import terminal
from trainer.monitoring import progress_line

PROGRESS = progress_line.Progress(
    epoch=4, epochs=20, step=180, steps=300, loss=0.9119, accuracy=0.6712, images_per_s=6240.4,
    input_wait_frac=0.014, memory_bytes=18_240_000_000, left_s=1450.0,
)  # fmt: skip


def line(*, columns, num_replicas=4):
    parts = progress_line.parts(PROGRESS, num_replicas=num_replicas)
    return terminal.fitted(parts, width=columns)


@pytest.mark.parametrize(
    ("columns", "text"),
    [
        (
            200,
            "epoch  4/20  ██████░░░░  step 180/300  loss 0.912  acc 0.671  6,240 img/s (1,560 each)"
            "  input wait 1 %  18.2 GB  24:10 left",
        ),
        (79, "epoch  4/20  step 180/300  loss 0.912  acc 0.671  6,240 img/s  24:10 left"),
        (50, "epoch  4/20  loss 0.912  acc 0.671  24:10 left"),
        (39, "epoch  4/20  loss 0.912  24:10 left"),
        (16, "epoch  4/20  los"),
    ],
)
def test_the_line_says_where_the_run_is_and_how_fast_it_goes_as_far_as_there_is_room(columns, text):
    assert line(columns=columns) == text


def test_one_replica_has_no_share_to_show():
    assert "each" not in line(columns=200, num_replicas=1)


def test_the_bar_is_full_at_the_end_of_the_epoch():
    whole = dataclasses.replace(PROGRESS, step=300)
    assert progress_line.parts(whole, num_replicas=1)[1].text == "  ██████████"
