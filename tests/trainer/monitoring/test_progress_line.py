import io

from trainer.monitoring import progress_line

PROGRESS = progress_line.Progress(
    epoch=4, epochs=20, step=180, steps=300, loss=0.9119, accuracy=0.6712, images_per_s=6240.4,
    input_wait_frac=0.014, memory_bytes=18_240_000_000, left_s=1450.0,
)  # fmt: skip


def test_the_line_says_where_the_run_is_and_how_fast_it_goes():
    assert progress_line.line(PROGRESS, num_replicas=4) == (
        "epoch  4/20  ██████░░░░  step 180/300  loss 0.912  acc 0.671  6,240 img/s (1,560 each)  "
        "input wait 1 %  18.2 GB  24:10 left"
    )


def test_one_replica_has_no_share_to_show():
    assert "each" not in progress_line.line(PROGRESS, num_replicas=1)


def test_times_over_an_hour_have_hours():
    assert (progress_line.clock(59.6), progress_line.clock(3599), progress_line.clock(3661)) == (
        "1:00",
        "59:59",
        "1:01:01",
    )


def test_a_pipe_gets_final_lines_only():
    out = io.StringIO()
    progress_line.show("part", final=False, to=out)
    progress_line.show("whole", final=True, to=out)
    assert out.getvalue() == "whole\n"


def test_a_terminal_gets_every_line_in_place_of_the_last():
    out = io.StringIO()
    out.isatty = lambda: True
    progress_line.show("part", final=False, to=out)
    progress_line.show("whole", final=True, to=out)
    assert out.getvalue() == "\r\x1b[Kpart\r\x1b[Kwhole\n"
