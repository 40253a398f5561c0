"""Page of the data report: its head, and its sections in their order."""

from collections.abc import Mapping, Sequence
from typing import Any

import webpage.page
from pipeline.data_report import (
    balancing,
    build_files,
    class_counts,
    crop_samples,
    duplicates,
    image_charts,
    rejects,
)
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
    "like",
    "clean",
    "drop_duplicates",
    "seed",
    "groups",
)

_NOT_SHOWN = {"like": "none"}
"""Flags that are younger than reports on disk, and the value that those were made with."""


def write(
    folder: storage.AnyPath,
    *,
    root: str | None = None,
    sidecars: Sequence[Mapping[str, Any]] | None = None,
) -> storage.AnyPath:
    """Write report.html into a build's folder and return its path.

    Args:
      folder: of a published version, or of one about to be published.
      root: of the release, for the originals; None: the folder that the build read.
      sidecars: of the shards, from callers that have them in memory.

    Raises:
      errors.UserError: if the folder holds no build.
    """
    built = build_files.load(folder, root=root, sidecars=sidecars)
    with atomic.on_disk(folder) as local_folder:
        webpage.page.write(local_folder / FILE, render(built))
    return folder / FILE


def render(built: build_files.BuildFiles) -> str:
    """Return the report's HTML.

    It depends on the build and the originals only; no date and no path of this machine is in it.
    """
    by_anchor: dict[str, tuple[str, markup.Content]] = {
        "classes": ("Classes, before and after balancing", class_counts.classes(built)),
        "balancing": ("What balancing left out and repeated", balancing.section(built)),
        "shards": ("Shards", class_counts.shards(built)),
        "crops": ("Crops beside their originals", crop_samples.section(built)),
        "rejects": ("Rejected and dropped rows", rejects.rejects(built)),
        "leaks": ("Duplicates and leaks", duplicates.section(built)),
        "sizes": ("Image sizes", image_charts.sizes(built)),
        "affect": ("Valence and arousal", image_charts.affect(built)),
    }
    return webpage.page.page(
        f"Data report: affectnet_faces/{built.settings['config_name']}",
        lead=_lead(built),
        sections=[
            webpage.page.Section(anchor, title, body, is_folded=True)
            for anchor, (title, body) in by_anchor.items()
        ],
    )


def _lead(built: build_files.BuildFiles) -> list[markup.Content]:
    account = built.account
    warnings = balancing.warnings(built)
    if account["data"] != "AffectNet":
        warnings.insert(0, "Drawn faces, not AffectNet: smoke test only.")
    rows = sum(line["read"] for line in account["ledger"]["classes"])
    rejected = sum(account["ledger"]["rejected"].values())
    leaks = len(account["identical_files"]["across_splits"])
    size = sum(shard["file_bytes"] for shard in account["shards"])
    examples = sum(shard["num_examples"] for shard in account["shards"])
    return [
        [markup.element("p", sentence, class_="warning") for sentence in warnings],
        webpage.page.tiles(
            [
                ("rows read", f"{rows:,}", f"{account['layout']} layout"),
                ("examples written", f"{examples:,}", ", ".join(built.splits)),
                ("rows rejected", f"{rejected:,}", f"{rejected / max(rows, 1):.2%} of the rows"),
                ("images in two splits", f"{leaks:,}", "identical files"),
                ("shards", f"{len(account['shards']):,}", f"{size / 1e6:,.1f} MB"),
            ]
        ),
        webpage.page.facts(_facts(account, built.settings)),
    ]


def _facts(account: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, markup.Content]:
    flags = [
        [markup.element("code", f"--{name}={settings[name]}", class_="flag"), " "]
        for name in _SHOWN
        if name in settings and settings[name] != _NOT_SHOWN.get(name)
    ]
    return {
        "data": account["data"],
        "flags": flags,
        "annotations": markup.element(
            "code", f"sha256 {account['made_from']['annotations_sha256'][:16]}…"
        ),
    }
