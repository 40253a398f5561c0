"""Data set card of a version: README.md, with the front matter that Hugging Face reads.

Owns the page for people who meet the folder without this project. A card that its user fills in was
rejected: all that it says follows from the build.
"""

from pathlib import Path
from typing import Any

import yaml

from affectnet_tfds import dataset_paths
from pipeline.files import atomic
from pipeline.metadata import responsible_ai, version

FILE = "README.md"

_SIZES = (
    *((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K")),
    *((1_000_000, "100K<n<1M"), (10_000_000, "1M<n<10M")),
)


def write(folder: Path, described: version.Version) -> None:
    """Write README.md into the folder of a version."""
    atomic.write_text(folder / FILE, text(described))


def text(described: version.Version) -> str:
    """Return the card."""
    about = described.about
    parts = [
        f"---\n{yaml.safe_dump(front_matter(described), sort_keys=False)}---",
        f"# {described.name}",
        " ".join(about.description.split()),
        f"{described.described()[0].upper()}{described.described()[1:]}.",
        _sharing(described),
        "## Examples",
        _table(described),
        "## Loading",
        _loading(described),
        "## How the data came about",
        _bullets(_origin(described)),
        "## What to mind",
        _bullets(_cautions(described)),
        "## Licence",
        about.license,
    ]
    if about.citation:
        parts += ["## Citation", f"```bibtex\n{about.citation}\n```"]
    return "\n\n".join(parts) + "\n"


def front_matter(described: version.Version) -> dict[str, Any]:
    """Return the card's metadata, by the names of Hugging Face."""
    about = described.about
    drawn = {"license": "apache-2.0"}
    other = {"license": "other", "license_name": f"{about.slug}-terms"}
    link = {"license_link": about.homepage} if about.homepage else {}
    num_examples = sum(sum(counts.values()) for counts in described.counts().values())
    return {
        "pretty_name": f"{described.name} ({about.name})",
        **(drawn if about.may_be_shared else {**other, **link}),
        "task_categories": ["image-classification"],
        "tags": ["facial-expression-recognition", "tfrecord"],
        "size_categories": [
            next((word for most, word in _SIZES if num_examples < most), "n>10M"),
        ],
        "dataset_info": {
            "config_name": described.config_name,
            "features": _features(described),
            "splits": [
                {
                    "name": split,
                    "num_bytes": sum(done["record_bytes"] for done in group),
                    "num_examples": sum(done["num_examples"] for done in group),
                }
                for split, group in described.shards().items()
            ],
        },
    }


def _features(described: version.Version) -> list[dict[str, Any]]:
    names = {str(label): name for label, name in enumerate(described.class_names)}
    kinds: dict[str, Any] = {
        "image": "image",
        "label": {"class_label": {"names": names}},
        "valence": "float32",
        "arousal": "float32",
        "filename": "string",
        "copy": "int64",
    }
    return [{"name": name, "dtype": kind} for name, kind in kinds.items()]


def _sharing(described: version.Version) -> str:
    if described.about.may_be_shared:
        return "**Drawn faces: a smoke test only. This folder may be passed on.**"
    return "**Do not upload or pass on this folder: it holds images of others (see Licence).**"


def _table(described: version.Version) -> str:
    counts = described.counts()
    rows = [
        f"| {name} | {' | '.join(f'{counts[split][label]:,}' for split in counts)} |"
        for label, name in enumerate(described.class_names)
    ]
    totals = " | ".join(f"{sum(by_label.values()):,}" for by_label in counts.values())
    head = f"| class | {' | '.join(counts)} |\n|---|{'---:|' * len(counts)}"
    return "\n".join([head, *rows, f"| all | {totals} |"])


def _loading(described: version.Version) -> str:
    return (
        "```python\nimport tensorflow_datasets as tfds\n\n"
        f'ds = tfds.load("{described.name}", split="train", data_dir=DATA_DIR)\n```\n\n'
        f"`DATA_DIR` is the folder that holds `{dataset_paths.DATASET_NAME}/`. `report.html` shows "
        "the data, `build_report.json` accounts for every row, `rejects.csv` has those that could "
        "not be used, and `croissant.json` describes all this for programs."
    )


def _origin(described: version.Version) -> list[str]:
    return [
        described.about.collection,
        described.about.annotation,
        *responsible_ai.preprocessing(described),
        responsible_ai.manipulation(described),
        responsible_ai.IMPUTATION,
        responsible_ai.MISSING,
        responsible_ai.MAINTENANCE,
    ]


def _cautions(described: version.Version) -> list[str]:
    return [
        f"For: {responsible_ai.USE_CASES}",
        described.about.biases,
        responsible_ai.LIMITATIONS,
        responsible_ai.SOCIAL_IMPACT,
        f"Personal data: {responsible_ai.personal_information(described)}",
    ]


def _bullets(sentences: list[str]) -> str:
    return "\n".join(f"- {sentence}" for sentence in sentences)
