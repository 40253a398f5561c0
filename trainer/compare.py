"""Set runs side by side: python -m trainer.compare RUN RUN ...

Owns which runs may be compared, and the page; the test is `mcnemar`'s. Runs are compared by what
trainer.evaluate left in their folders, so that neither the models nor the data need be there.
"""

import dataclasses
import pathlib
from collections.abc import Sequence

import webpage.page
from runtime import fields, flags
from trainer.evaluation import paired_comparison
from trainer.reports import comparison_page

ABOUT = """Set judged runs side by side, with a paired test of whether their accuracies differ.

  python -m trainer.compare runs/first runs/second               two runs, as they were judged on validation
  python -m trainer.compare runs/*/affectnet7_validation         their reports on other data"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Comparison:
    """What to write; the runs are given without a flag."""

    output: str = fields.field("comparison.html", "HTML file to write")


def main(folders: Sequence[str]) -> None:
    """Compare as the command line says."""
    asked = Comparison(**flags.given({"Comparison": Comparison}))
    fields.check(asked)
    runs = paired_comparison.load(folders)
    pairs = paired_comparison.compare(runs)
    print(comparison_page.table(runs, pairs))
    page = webpage.page.write(pathlib.Path(asked.output), comparison_page.render(runs, pairs))
    print(f"look at       {page}")


if __name__ == "__main__":
    flags.define({"Comparison": Comparison})
    flags.run_on(main, sections={"Comparison": Comparison}, about=ABOUT)
