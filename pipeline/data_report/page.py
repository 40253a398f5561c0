"""The data report as a whole: its head, and which sections stand in which order."""

from collections.abc import Mapping, Sequence
from typing import Any

import webpage.page
from pipeline.data_report import build_files, class_counts, crop_samples, image_charts, rejects
from pipeline.files import atomic, storage
from webpage import markup

FILE = "report.html"

_SHOWN = (
    "classes",
    "subsets",
    "image_size",
    "margin_frac",
    "encoding",
    "balance",
    "max_copies",
    "align",
    "clean",
    "drop_duplicates",
    "seed",
)


def write(
    folder: storage.AnyPath,
    *,
    root: str | None = None,
    sidecars: Sequence[Mapping[str, Any]] | None = None,
) -> storage.AnyPath:
    """Write report.html into a build's folder and return its path.

    Args:
      folder: of a published version, or of one about to be.
      root: of the release, for the originals; None: where the build found it.
      sidecars: of the shards, by whom has them at hand.

    Raises:
      errors.UserError: if the folder holds no build.
    """
    with atomic.on_disk(folder) as place:
        webpage.page.write(
            place / FILE, render(build_files.load(folder, root=root, sidecars=sidecars))
        )
    return folder / FILE


def render(made: build_files.Material) -> str:
    """Return the report's HTML. It depends on the build and the originals only: no date, no path of
    this machine."""
    section = webpage.page.Section
    sections = [
        section("classes", "Classes, before and after balancing", class_counts.classes(made)),
        section("shards", "Shards", class_counts.shards(made)),
        section("crops", "Crops beside their originals", crop_samples.section(made)),
        section("rejects", "Rejected and dropped rows", rejects.rejects(made)),
        section("leaks", "Duplicates and leaks", rejects.identical(made)),
        section("sizes", "Picture sizes", image_charts.sizes(made)),
        section("affect", "Valence and arousal", image_charts.affect(made)),
    ]
    return webpage.page.page(
        f"Data report: affectnet_faces/{made.settings['config_name']}",
        lead=_lead(made),
        sections=sections,
    )


def _lead(made: build_files.Material) -> list[markup.Content]:
    account = made.account
    drawn = markup.element(
        "p", "Drawn faces, not AffectNet: to try things out with.", class_="warning"
    )
    rows = sum(line["read"] for line in account["ledger"]["classes"])
    rejected = sum(account["ledger"]["rejected"].values())
    leaks = len(account["identical_files"]["across_splits"])
    size = sum(shard["file_bytes"] for shard in account["shards"])
    examples = sum(shard["num_examples"] for shard in account["shards"])
    return [
        drawn if account["data"] != "AffectNet" else None,
        webpage.page.tiles(
            [
                ("rows read", f"{rows:,}", f"{account['layout']} layout"),
                ("examples written", f"{examples:,}", ", ".join(made.splits)),
                ("rows rejected", f"{rejected:,}", f"{rejected / max(rows, 1):.2%} of the rows"),
                ("pictures in two splits", f"{leaks:,}", "identical files"),
                ("shards", f"{len(account['shards']):,}", f"{size / 1e6:,.1f} MB"),
            ]
        ),
        webpage.page.facts(_facts(account, made.settings)),
    ]


def _facts(account: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, markup.Content]:
    made_with = [
        [markup.element("code", f"--{name}={settings[name]}", class_="flag"), " "]
        for name in _SHOWN
        if name in settings
    ]
    return {
        "data": account["data"],
        "made with": made_with,
        "annotations": markup.element(
            "code", f"sha256 {account['made_from']['annotations_sha256'][:16]}…"
        ),
    }
