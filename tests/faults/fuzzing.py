"""Fuzzing of the parsers of lists, annotations, YAML and flags: seeds, mutations and targets.

A target takes the bytes of a file and fails where the program would have printed a traceback,
called a row a defect of its own, lost a row, or made a name that cannot be written down.
`test_fuzzing.py` runs each on a few fixed mutants; `python -m tests.faults.fuzzing npy
--minutes=10` on new ones, as long as it is told to.
"""

import argparse
import contextlib
import csv
import errno
import io
import json
import math
import pathlib
import random
import tempfile
import time
from collections.abc import Callable

import hypothesis
import numpy as np
from hypothesis import strategies

from affectnet_tfds import invalid_example
from pipeline import config
from pipeline.rows import annotations, row_format, stable_hash
from pipeline.sources import base, label_names
from pipeline.sources.layouts import csv_columns, registry
from runtime import errors, fields, flags, untrusted
from tests.pipeline.sources import conftest
from trainer.config import recipes, run_config

TOKENS = [
    *(b"1e9", b"-1e300", b"inf", b"nan", b"NULL", b"4_0", b"9" * 400, b"0x1F", b"1e400", b"-0"),
    *(b"\r", b"\n", b"\r\n", b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\xf6", b"\x1b[2J", b'"', b"'"),
    *(b",", b";", b"\t", b" ", b"..", b"/", b"\\", b"=1+1", b"{", b"[", b"]", b"}", b":", b"-"),
    *(b"&a", b"*a", b"<<: *a", b"!!binary x", b"2001-99-99", b"~", b"? ", b"|", b"[" * 400),
    *(b"\\ud800", b"null", b"true", b"1" * 5000, b"\xe2\x80\xae", "٣".encode(), b"'shape': (-1,)"),
    *(b"(1e9,)", b"|O", b"<f2", b"<M8[s]", b"|S9", b">U4", b"{'a': 1}", b"subDirectory_filePath"),
]
"""What mutations insert, besides random bytes."""


def _edited(content: bytes, edits: list[tuple[str, int, bytes, int]]) -> bytes:
    """Apply edits: what, where (in millionths of the length), with which bytes, how often."""
    for what, place, piece, count in edits:
        at = place * len(content) // 1_000_000
        if what == "insert":
            content = content[:at] + piece + content[at:]
        elif what == "replace":
            content = content[:at] + piece + content[at + len(piece) :]
        elif what == "delete":
            content = content[:at] + content[at + count :]
        elif what == "repeat":
            content = content[:at] + (piece or b"x") * count + content[at:]
        elif what == "again":
            content = content[:at] + content[max(0, at - count) : at] * 2 + content[at:]
        elif what == "cut":
            content = content[:at]
    return content


def mutants(seeds: list[bytes]) -> strategies.SearchStrategy[bytes]:
    """Return a strategy of edited seeds, and of bytes that are like none."""
    edit = strategies.tuples(
        strategies.sampled_from(["insert", "replace", "delete", "repeat", "again", "cut"]),
        strategies.integers(0, 999_999),
        strategies.sampled_from(TOKENS) | strategies.binary(max_size=4),
        strategies.integers(1, 300),
    )
    edited = strategies.builds(
        _edited, strategies.sampled_from(seeds), strategies.lists(edit, max_size=6)
    )
    return edited | strategies.binary(max_size=120)


Target = Callable[[pathlib.Path, bytes], None]
"""Reads the bytes of one file; the folder is its own, and is kept between calls."""


def _check(items: list[annotations.Row | annotations.Reject]) -> None:
    """Check that rows and rejects can be kept, told and written down."""
    for item in items:
        if isinstance(item, annotations.Row):
            assert repr(row_format.decode(row_format.encode(item))) == repr(item)
            item.filename.encode()
            stable_hash.key(item.filename, 0)
            continue
        assert item.reason != invalid_example.DEFECT, item
        assert len(item.detail) <= 600 and len(item.path) <= annotations.LONGEST_PATH
        text = io.StringIO()
        csv.writer(text).writerow([*map(untrusted.cell, item)])
        text.getvalue().encode()
        json.dumps(item)


def _read(root: pathlib.Path, **request: object) -> list[annotations.Row | annotations.Reject]:
    """Read a release; what is refused in a sentence has no rows."""
    try:
        found = conftest.read(root, **request)
    except errors.UserError as refusal:
        untrusted.printable(str(refusal)).encode()
        return []
    except OSError as error:
        assert error.errno == errno.ENOTSUP and errors.of_system(error), error
        return []
    _check(found)
    return found


HEADER = (
    "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,expression,"
    "valence,arousal\n"
)


def list_2017(folder: pathlib.Path, content: bytes) -> None:
    """training.csv of the 2017 release."""
    if not (folder / "Manually_Annotated_Images").exists():
        conftest.put(folder, "Manually_Annotated_Images/1/a.jpg")
    conftest.put(folder, "training.csv", content=content)
    found = _read(folder)
    in_parts = _in_parts(folder)
    assert len(in_parts) in (0, len(found))


def _in_parts(folder: pathlib.Path) -> list[annotations.Row | annotations.Reject]:
    """Read training.csv in small parts: no cut may lose a row."""
    try:
        release = conftest.recognise(folder)
        (table,) = release.tables
        parts = registry.affectnet_2017.line_ranges.byte_ranges(folder / table.path, chunk_bytes=64)
        return [
            item for part in parts for item in registry.read(str(folder), base.Part(table, part))
        ]
    except (errors.UserError, OSError):
        return []


def list_csv(folder: pathlib.Path, content: bytes) -> None:
    """A list that --csv names."""
    conftest.put(folder, "a.jpg")
    conftest.put(folder, "list.csv", content=content)
    _read(folder, csv="list.csv")
    _read(folder, csv="list.csv", columns="path=1,label=2,left=3,top=4,right=5,bottom=6")


def npy(folder: pathlib.Path, content: bytes) -> None:
    """The four npy files of an image, one after the other."""
    kinds = ("exp", "val", "aro", "lnd")
    places = [f"train_set/annotations/1_{kind}.npy" for kind in kinds]
    conftest.put(folder, "train_set/images/1.jpg")
    conftest.put(folder, *places, content=GOOD_NPY)
    for place in places:
        conftest.put(folder, place, content=content)
        assert len(_read(folder)) == 1
        conftest.put(folder, place, content=GOOD_NPY)


def plus(folder: pathlib.Path, content: bytes) -> None:
    """The JSON file of an image of AffectNet+, in both parts of it."""
    for part in ("human_annotated/train_set", "no_human_annotated"):
        conftest.put(folder, f"{part}/images/1.jpg")
        conftest.put(folder, f"{part}/annotations/1.json", content=content)
    found = _read(folder, subsets=("manual", "automatic"), difficulty="easy")
    assert len(found) == 2


def yolo(folder: pathlib.Path, content: bytes) -> None:
    """The faces of an image in a YOLO folder."""
    conftest.put(folder, "train/images/1.jpg")
    conftest.put(folder, "data.yaml", content="names: [happy, sad, anger]\nnc: 3\n")
    conftest.put(folder, "train/labels/1.txt", content=content)
    assert _read(folder)


def data_yaml(folder: pathlib.Path, content: bytes) -> None:
    """The data.yaml of a YOLO folder."""
    conftest.put(folder, "train/images/1.jpg")
    conftest.put(folder, "train/labels/1.txt", content="0 0.5 0.5 1 1\n")
    conftest.put(folder, "data.yaml", content=content)
    _read(folder)


def recipe(folder: pathlib.Path, content: bytes) -> None:
    """A recipe, from its file to a configuration."""
    path = folder / "mine.yaml"
    path.write_bytes(content)
    start = time.process_time()
    try:
        run_config.resolve({"recipe": str(path)})
    except errors.UserError as refusal:
        untrusted.printable(str(refusal)).encode()
    except OSError as error:
        assert error.errno == errno.ENOTSUP, error
    assert time.process_time() - start < 5


def flag(folder: pathlib.Path, content: bytes) -> None:
    """The value of each flag of the job and of training, as text, and what it is made of."""
    text = content.decode(errors="surrogateescape")
    for section in (config.JobConfig, *run_config.SECTIONS.values()):
        for name in fields.options(section):
            try:
                value = fields.value_of(text, config_type=section, name=name)
            except ValueError as error:
                untrusted.printable(str(error)).encode()
                continue
            _refused_or_bounded(section, name, value)
    for parse in (
        label_names.parse_labels,
        lambda text: csv_columns.resolve(text, first=["image", "label", "x"], where="a list"),
        lambda text: label_names.codes([text], given={}, where="a list"),
    ):
        with contextlib.suppress(errors.UserError):
            parse(text)


def _refused_or_bounded(section: type, name: str, value: object) -> None:
    needed = {"input_dir": "x"} if section is config.JobConfig else {}
    try:
        made = section(**{**needed, name: value})
    except errors.UserError as refusal:
        assert str(refusal)
        return
    kept = getattr(made, name)
    for one in kept if isinstance(kept, tuple) else (kept,):
        assert not isinstance(one, int) or abs(one) < 2**63
        assert not isinstance(one, float) or math.isfinite(one)


def flag_file(folder: pathlib.Path, content: bytes) -> None:
    """A file of flags."""
    path = folder / "flags"
    path.write_bytes(content)
    values = flags.flags.FlagValues()
    flags.flags.DEFINE_string("flagfile", "", "", flag_values=values)
    flags.define({"Job": config.JobConfig}, values=values)
    try:
        flags.parse(["x", f"--flagfile={path}"], sections={"Job": config.JobConfig}, values=values)
    except errors.UserError as refusal:
        untrusted.printable(str(refusal)).encode()
    except OSError as error:
        assert errors.of_system(error), error


def _npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def npy_of(header: str, content: bytes) -> bytes:
    """Return an npy file with a header of one's own."""
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + content


GOOD_NPY = _npy(np.array("1"))


def _points() -> str:
    return ";".join(f"{i}.5" for i in range(136))


SEEDS: dict[str, list[bytes]] = {
    "list_2017": [
        (
            HEADER + f"1/a.jpg,5,5,80,80,{_points()},1,0.1,-0.1\n1/a.jpg,1,2,30,40,,3,-2,-2\n"
        ).encode(),
        b"1/a.jpg,5,5,80,80,,1,0.1,-0.1\n" * 3,
        ("," + HEADER + "0,1/a.jpg,5,5,80,80,,1,0.1,-0.1\n").encode(),
        HEADER.encode("utf-16"),
    ],
    "list_csv": [
        b"image,label,split,valence\na.jpg,happy,train,0.5\nb.jpg,3,val,\n",
        b"a.jpg 1 5 5 80 80\nb.jpg 2 1 1 30 30\n",
        b"image;label;x;y\r\na.jpg;1;2;3\r\n",
        b"image,label\ra.jpg,1\rb.jpg,2\r",
    ],
    "npy": [
        _npy(np.array("3")),
        _npy(np.array([0.25])),
        _npy(np.zeros((68, 2))),
        _npy(np.array(["-2"])),
        _npy(np.zeros((1, 136), np.float32)),
    ],
    "plus": [
        json.dumps(
            {
                "human-label": 1,
                "soft-label": [0.5, 0.5, 0, 0, 0, 0, 0, 0],
                "valence": 0.1,
                "arousal": "-0.2",
                "landmark_68": [[1.5, 2.5]] * 68,
                "subset": 1,
                "meta-data": {"race": "x"},
            }
        ).encode(),
        b'{"human-label": null, "soft-label": [1,0,0,0,0,0,0,0]}',
    ],
    "yolo": [b"0 0.5 0.5 1 1\n2 0.25 0.25 0.5 0.5 0.9\n", b"1 0.5 0.5 0.25 0.25\r\n\r\n"],
    "data_yaml": [
        b"train: ../train/images\nnc: 3\nnames: ['happy', 'sad', 'anger']\n",
        b"names:\n  0: happy\n  1: sad\n",
        b"x: &a [happy, sad]\nnames: *a\n",
    ],
    "recipe": [
        *(path.read_bytes() for path in sorted(recipes.FOLDER.glob("*.yaml"))),
        b"learning_rate: 1e-3\nconv_filters: [8, 8]\nmix_up: 0.2\nbatch_norm: true\n",
    ],
    "flag": [
        b"path=1,label=2+3",
        b"1=happy,2=fear",
        b"1",
        b"0.5",
        b"8,16",
        b"true",
        b"runs/first",
        b"-1",
        b"1e9",
    ],
    "flag_file": [b"--image_size=96\n# a remark\n--noalign\n", b"--flagfile=none\n--seed=5\n"],
}

TARGETS: dict[str, Target] = {
    target.__name__: target
    for target in (list_2017, list_csv, npy, plus, yolo, data_yaml, recipe, flag, flag_file)
}


def fuzz(name: str, folder: pathlib.Path, *, mutants_tried: int, seed: int | None = None) -> None:
    """Try a target on mutants of its seeds: the same ones each time, unless a seed is given."""
    options = hypothesis.settings(
        max_examples=mutants_tried,
        derandomize=seed is None,
        database=None,
        deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )

    @options
    @hypothesis.given(mutants(SEEDS[name]))
    def tried(content: bytes) -> None:
        TARGETS[name](folder, content)

    if seed is not None:
        tried = hypothesis.seed(seed)(tried)
    tried()


BATCH = 50


def main() -> None:
    """Fuzz a target with new mutants for some minutes; print how many were tried."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--minutes", type=float, default=10.0)
    asked = parser.parse_args()
    start = time.monotonic()
    tried = 0
    with tempfile.TemporaryDirectory() as folder:
        while time.monotonic() - start < 60 * asked.minutes:
            seed = random.randrange(1 << 32)
            fuzz(asked.target, pathlib.Path(folder), mutants_tried=BATCH, seed=seed)
            tried += BATCH
    minutes = (time.monotonic() - start) / 60
    print(f"fuzzed        {asked.target}: {tried:,} mutants in {minutes:.1f} minutes, no fault")


if __name__ == "__main__":
    main()
