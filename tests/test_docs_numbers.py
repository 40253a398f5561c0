"""Numbers in the docs that the code decides are the code's; measured ones name their command."""

import pathlib
import re

import pytest

from pipeline.beam import runner
from pipeline.data_report import class_counts, crop_samples, rejects
from pipeline.files import object_store
from pipeline.rows import row_index
from pipeline.shards import plan, tasks
from trainer import app
from trainer.demo import uploads
from trainer.evaluation import calibration
from trainer.evaluation.groups import attributes, group_results, permutation

DOCS = pathlib.Path(__file__).resolve().parents[1] / "docs"
WORDS = {4: "four", 5: "five", 20: "twenty"}


@pytest.mark.parametrize(
    ("page", "sentence"),
    [
        ("design", f"Tables up to {runner.SMALL_TABLE_BYTES >> 20} MB are surveyed"),
        ("design", f"an entry of {row_index.ENTRY.itemsize} bytes"),
        ("design", f"A class of more than {plan.MAX_ROWS_RANKED_TOGETHER:,} rows is ranked"),
        ("design", f"no more than {crop_samples.PER_CLASS} images of each class"),
        ("reports", f"more than {class_counts.MOST_SHARDS_DRAWN} shards"),
        ("reports", f"{WORDS[crop_samples.PER_CLASS]} of each class"),
        ("reports", f"{WORDS[rejects.EXAMPLES]} rows of each reason"),
        ("reports", f"{WORDS[rejects.GROUPS]} groups of each"),
        ("reports", f"{calibration.NUM_BINS} bins of equal width"),
        ("groups", f"Groups of fewer than {attributes.LEAST_IMAGES} images (`--least_group`)"),
        ("groups", f"the adjusted p is below {group_results.LEVEL} |"),
        ("groups", f"at random ({permutation.DRAWS:,} times)"),
        ("reports", f"127.0.0.1, port {app.App().port} "),
        ("security", f"removed after {uploads.KEPT_S:.0f} s"),
        ("scaling", f"Tables up to {runner.SMALL_TABLE_BYTES >> 20} MB are counted"),
        ("scaling", f"| {row_index.ENTRY.itemsize} + {row_index.ENTRY.itemsize} + "
                    f"{tasks.DEALT.itemsize} bytes a row |"),
        ("scaling", f"A request is made up to {object_store.ATTEMPTS} times"),
    ],
)  # fmt: skip
def test_a_number_that_the_code_decides_is_the_codes(page, sentence):
    assert sentence in (DOCS / f"{page}.md").read_text(encoding="utf-8")


def test_those_of_the_trainer_too():
    # Inside: TensorFlow's import takes seconds.
    from trainer.augment import augment
    from trainer.demo import page as demo_page
    from trainer.demo import routes
    from trainer.exporting import parity_check
    from trainer.training import lr_finder

    training, reports, security = (
        " ".join((DOCS / f"{page}.md").read_text(encoding="utf-8").split())
        for page in ("training", "reports", "security")
    )
    steps = f"trains {lr_finder._STEPS} steps with a learning rate that rises from "
    assert f"{steps}{lr_finder._LOWEST:.0e}".replace("e-06", "e-6") in training
    assert f" to {lr_finder._HIGHEST:.0f} (Smith 2017)" in training
    assert augment._NUM_KINDS == 10 and "applies N of ten transformations" in training
    assert f"{routes.MAX_UPLOAD_MB} MB at most" in reports
    sizes = f"{routes.MAX_UPLOAD_MB} MB an upload, {routes._MAX_BODY >> 10} KiB any other request"
    assert sizes in security and f"given up after {routes.IDLE_S:.0f} s without" in security
    assert demo_page._NUM_SESSIONS == 8 and "at most eight windows" in security
    assert parity_check.TOLERANCE == 1e-4 and "differs by more than 1e-4 is deleted" in reports


def test_what_a_gpu_needs_follows_from_the_table_of_reading():
    page = (DOCS / "benchmarks.md").read_text(encoding="utf-8")
    on_a_gpu = page.partition("## On a GPU")[2]
    cores, trained = 2, 3500
    for size in (112, 224):
        table = page.partition(f"{size} px: images/s\n")[2]
        rates = {
            name: [int(number.replace(",", "")) / cores for number in numbers]
            for name, *numbers in re.findall(r"^(ours.*?)  +([\d,]+) +([\d,]+)", table, re.M)[:2]
        }
        cached, (first, later) = rates["ours"][1], rates["ours, no cache"]
        a_core = f"| {size} px | {_whole(cached)} | {_whole(later)} | {_whole(first)} |"
        assert a_core in on_a_gpu
    for what, rate in (
        ("from a cache in RAM", cached),
        ("without a cache", later),
        ("without a cache, first epoch", first),
    ):
        needed = " | ".join(f"{gpus * trained / rate:.1f}" for gpus in (1, 4, 8))
        assert f"| {what} | {needed} |" in on_a_gpu
    assert f"{224 * 224 * 3:,} an image: {trained * 224 * 224 * 3 / 1e9:.2f} GB/s" in on_a_gpu


def _whole(number: float) -> str:
    return f"{int(number):,}"
