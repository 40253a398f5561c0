"""Comparison program: python -m trainer.compare RUN RUN ...

Owns the flags; runs are read and tested by evaluation.paired_comparison, and the page is
comparison.page's.
"""

import dataclasses
import pathlib
from collections.abc import Sequence

import webpage.page
from runtime import fields, flags
from trainer.comparison import page as comparison_page
from trainer.evaluation import paired_comparison

ABOUT = """Compare evaluated runs: metrics side by side, and a paired significance test of accuracy.

  python -m trainer.compare runs/first runs/second               two runs, evaluated on validation
  python -m trainer.compare runs/*/affectnet7_validation         their reports on other data"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Comparison:
    """Data and output of a comparison; the runs are given without a flag."""

    data_dir: str | None = fields.field(
        None,
        "folder that holds the data set, for the images on which the runs disagree",
        default_text="as in training",
        path="folder",
    )
    output: str = fields.field("comparison.html", "HTML file to write", path="file")


SECTIONS: dict[str, type] = {"Comparison": Comparison}


def main(folders: Sequence[str]) -> None:
    """Compare the runs in these folders."""
    asked = Comparison(**flags.given(SECTIONS))
    fields.check(asked)
    runs = paired_comparison.load(folders)
    pairs = paired_comparison.compare(runs)
    about = comparison_page.background(runs, folders=folders, data_dir=asked.data_dir)
    print(comparison_page.table(runs, pairs))
    if about.images.missing:
        print(f"note          {about.images.missing}")
    text = comparison_page.render(runs, pairs, about=about)
    page = webpage.page.write(pathlib.Path(asked.output), text)
    print(f"report        {page}")


if __name__ == "__main__":
    flags.define(SECTIONS)
    flags.run_on(main, sections=SECTIONS, about=ABOUT)
