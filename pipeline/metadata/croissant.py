"""Croissant metadata of a version: croissant.json, with the fields on responsible AI.

Owns the mapping of a build to MLCommons' vocabulary, version 1.0. Writing it with `mlcroissant` was
rejected: the file is plain JSON, and the library takes longer to import than the file to write; the
tests validate it with that library, which lists labels and splits but has no reader of TFRecords.
"""

import json
from pathlib import Path
from typing import Any

from affectnet_tfds import dataset_paths, features, labels
from pipeline.files import atomic
from pipeline.metadata import responsible_ai, version

FILE = "croissant.json"

_CONFORMS_TO = ["http://mlcommons.org/croissant/1.0", "http://mlcommons.org/croissant/RAI/1.0"]
_TFRECORD = "application/x-tfrecord"
_SHARDS = "shards"

_CR_TERMS = (
    *("citeAs", "column", "equivalentProperty", "extract", "field", "fileProperty", "fileObject"),
    *("fileSet", "format", "includes", "isLiveDataset", "jsonPath", "key", "md5", "parentField"),
    *("path", "recordSet", "references", "regex", "repeated", "replace", "samplingRate"),
    *("separator", "source", "subField", "transform"),
)
_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    **{term: f"cr:{term}" for term in _CR_TERMS},
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
}

_FIELDS: dict[str, tuple[str, str]] = {
    "image": ("sc:ImageObject", "the face crop, RGB"),
    "label": ("sc:Integer", "expression, by AffectNet's code"),
    "valence": ("sc:Float", "-1..1, NaN where there is none"),
    "arousal": ("sc:Float", "-1..1, NaN where there is none"),
    "landmarks": (
        "sc:Float",
        "68 points (x, y), as fractions of the crop, NaN where there are none",
    ),
    "bbox": ("sc:Float", "ymin, xmin, ymax, xmax of the face, as fractions of the source image"),
    "filename": ("sc:Text", "path of the source image"),
    "subset": ("sc:Integer", "kind of annotation"),
    "copy": ("sc:Integer", "0, or which repeat by balancing it is"),
    "soft_label": ("sc:Float", "probability of each of the first 8 expressions"),
}
_REPEATED = ("landmarks", "bbox", "soft_label")


def write(folder: Path, described: version.Version) -> None:
    """Write croissant.json into the folder of a version."""
    atomic.write_text(folder / FILE, json.dumps(content(described), indent=2) + "\n")


def content(described: version.Version) -> dict[str, Any]:
    """Return the JSON-LD of a version."""
    about = described.about
    optional = {
        "citeAs": about.citation,
        "url": about.homepage,
        "datePublished": about.published,
    }
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": _CONFORMS_TO,
        "name": described.name.replace("/", "_"),
        "description": f"{' '.join(about.description.split())} {described.described()}.",
        "license": about.license,
        "version": dataset_paths.VERSION,
        **{key: value for key, value in optional.items() if value},
        "keywords": ["facial expression recognition", about.name],
        **_responsible_ai(described),
        "distribution": _distribution(described),
        "recordSet": [_splits(described), _labels(described), _subsets(), _examples(described)],
    }


def _responsible_ai(described: version.Version) -> dict[str, Any]:
    about = described.about
    return {
        "rai:dataCollection": about.collection,
        "rai:dataCollectionMissingData": responsible_ai.MISSING,
        "rai:dataAnnotationProtocol": about.annotation,
        "rai:dataPreprocessingProtocol": responsible_ai.preprocessing(described),
        "rai:dataManipulationProtocol": responsible_ai.manipulation(described),
        "rai:dataImputationProtocol": responsible_ai.IMPUTATION,
        "rai:dataBiases": about.biases,
        "rai:dataUseCases": responsible_ai.USE_CASES,
        "rai:dataLimitations": responsible_ai.LIMITATIONS,
        "rai:dataSocialImpact": responsible_ai.SOCIAL_IMPACT,
        "rai:personalSensitiveInformation": responsible_ai.personal_information(described),
        "rai:dataReleaseMaintenancePlan": responsible_ai.MAINTENANCE,
    }


def _distribution(described: version.Version) -> list[dict[str, Any]]:
    files = [
        {
            "@type": "cr:FileObject",
            "@id": done["name"],
            "name": done["name"],
            "description": f"{done['num_examples']} examples",
            "contentUrl": done["name"],
            "contentSize": f"{done['file_bytes']} B",
            "encodingFormat": _TFRECORD,
            "sha256": done["sha256"],
        }
        for group in described.shards().values()
        for done in group
    ]
    shards = {
        "@type": "cr:FileSet",
        "@id": _SHARDS,
        "name": _SHARDS,
        "description": "All shards: TFRecord files of tf.train.Example.",
        "encodingFormat": _TFRECORD,
        "includes": f"{dataset_paths.DATASET_NAME}-*.{dataset_paths.FILE_FORMAT}-*",
    }
    return [*files, shards]


def _splits(described: version.Version) -> dict[str, Any]:
    rows = [
        {"splits/name": split, "splits/num_examples": sum(counts.values())}
        for split, counts in described.counts().items()
    ]
    return {
        **_listed("splits", rows, {"name": "sc:Text", "num_examples": "sc:Integer"}),
        "dataType": "cr:Split",
    }


def _labels(described: version.Version) -> dict[str, Any]:
    rows = [
        {"labels/label": label, "labels/name": name}
        for label, name in enumerate(described.class_names)
    ]
    return {
        **_listed("labels", rows, {"label": "sc:Integer", "name": "sc:Text"}),
        "dataType": "sc:Enumeration",
    }


def _subsets() -> dict[str, Any]:
    rows = [
        {"subsets/subset": code, "subsets/name": name} for code, name in enumerate(labels.SUBSETS)
    ]
    return {
        **_listed("subsets", rows, {"subset": "sc:Integer", "name": "sc:Text"}),
        "dataType": "sc:Enumeration",
    }


def _listed(name: str, rows: list[dict[str, Any]], kinds: dict[str, str]) -> dict[str, Any]:
    """Return a record set whose records are in the file itself; the first field is its key."""
    fields = [
        {"@type": "cr:Field", "@id": f"{name}/{field}", "name": field, "dataType": kind}
        for field, kind in kinds.items()
    ]
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "key": {"@id": fields[0]["@id"]},
        "field": fields,
        "data": rows,
    }


def _examples(described: version.Version) -> dict[str, Any]:
    left_out = () if described.settings["soft_labels"] else ("soft_label",)
    fields = [_field(name) for name in _FIELDS if name not in left_out]
    fields += [_group_field(name) for name in described.groups]
    split = {
        "@type": "cr:Field",
        "@id": "examples/split",
        "name": "split",
        "dataType": "sc:Text",
        "references": {"field": {"@id": "splits/name"}},
        "source": {
            "fileSet": {"@id": _SHARDS},
            "extract": {"fileProperty": "filename"},
            "transform": {"regex": f"^{dataset_paths.DATASET_NAME}-([^-.]+)\\."},
        },
    }
    return {
        "@type": "cr:RecordSet",
        "@id": "examples",
        "name": "examples",
        "description": "One face crop each; features.json has shapes and types as TFDS reads them.",
        "key": [{"@id": f"examples/{name}"} for name in ("split", "filename", "copy")],
        "field": [split, *fields],
    }


def _field(name: str) -> dict[str, Any]:
    kind, what = _FIELDS[name]
    other = {"label": "labels/label", "subset": "subsets/subset"}.get(name)
    return {
        "@type": "cr:Field",
        "@id": f"examples/{name}",
        "name": name,
        "description": what,
        "dataType": kind,
        **({"repeated": True} if name in _REPEATED else {}),
        **({"references": {"field": {"@id": other}}} if other else {}),
        "source": {"fileSet": {"@id": _SHARDS}, "extract": {"column": name}},
    }


def _group_field(name: str) -> dict[str, Any]:
    column = f"{features.GROUPS}/{name}"
    return {
        "@type": "cr:Field",
        "@id": f"examples/{column}",
        "name": column,
        "description": "attribute of the person or the image, empty where there is none",
        "dataType": "sc:Text",
        "source": {"fileSet": {"@id": _SHARDS}, "extract": {"column": column}},
    }
