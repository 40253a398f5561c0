"""Verification finds what is wrong, and where."""

import json
import shutil
from pathlib import Path

import pytest

from affectnet_tfds import example_codec, tfrecord
from pipeline import verify
from runtime import errors
from tests.pipeline import test_main


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Path:
    """A build of a few shards; tests work on copies."""
    from tests.pipeline import conftest  # The fixtures' own writer, outside a function's scope.

    root = tmp_path_factory.mktemp("verify")
    release = conftest.ReleaseWriter(root / "in")
    for label in (0, 0, 0, 1, 1, 2):
        release.add("training", label)
    release.add("validation", 0)
    config = test_main.build.config.JobConfig(
        input_dir=str(release.write()),
        data_dir=str(root / "data"),
        config_name="tiny",
        image_size=32,
        num_shards=2,
        num_workers=1,
        balance="3",
    )
    return test_main.run(config).version


@pytest.fixture
def version(published, tmp_path) -> Path:
    """A copy of the build, elsewhere."""
    return Path(shutil.copytree(published, tmp_path / "copy"))


def shard(version: Path) -> Path:
    return version / "affectnet_faces-train.tfrecord-00001-of-00002"


def change(path: Path, at: int, value: int | None = None) -> None:
    content = bytearray(path.read_bytes())
    content[at] = content[at] ^ 1 if value is None else value
    path.write_bytes(content)


def said(version: Path) -> list[str]:
    return [str(problem) for problem in verify.verify(version)]


def test_a_copy_of_a_good_build_has_no_problem(version):
    assert said(version) == []


def test_one_flipped_bit_is_found_with_file_and_record(version):
    content = shard(version).read_bytes()
    first = 12 + int.from_bytes(content[:8], "little") + 4
    change(shard(version), first + 300)
    assert said(version) == [
        f"{shard(version).name}, record 1: "
        f"the checksum of its content does not hold (byte {first + 12})",
        f"{shard(version).name}: its sha256 is not the one in build_report.json",
    ]


def test_a_damaged_length_ends_the_reading_of_that_shard_only(version):
    change(shard(version), 0)
    assert said(version)[0] == (
        f"{shard(version).name}, record 0: the checksum of its length does not hold (byte 0); "
        "what follows cannot be read"
    )


def test_a_shortened_shard_is_found(version):
    shard(version).write_bytes(shard(version).read_bytes()[:-10])
    assert "the file ends within it" in said(version)[0]


def test_missing_and_foreign_shards_are_found(version):
    shard(version).rename(version / "affectnet_faces-test.tfrecord-00000-of-00001")
    assert said(version) == [
        f"{shard(version).name}: the file is missing",
        "affectnet_faces-test.tfrecord-00000-of-00001: build_report.json does not know this file",
    ]


def rewrite(version: Path, **changes: object) -> None:
    """Change the first record of the shard, with checksums that hold."""
    (first, *rest) = tfrecord.records(shard(version).read_bytes())
    changed = example_codec.serialize(example_codec.parse(first)._replace(**changes))
    shard(version).write_bytes(b"".join(map(tfrecord.frame, [changed, *rest])))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"label": 9}, "label must be 0..7: got 9"),
        ({"subset": 5}, "subset must be 0..1: got 5"),
        ({"image": b"no jpeg"}, "its image cannot be used: not a picture"),
        (
            {
                "image": test_main.conftest.cv2.imencode(".jpg", test_main.conftest.picture(1))[
                    1
                ].tobytes()
            },
            "its image cannot be used: wrong size, 120 x 90 is not 32 x 32",
        ),
    ],
)
def test_a_record_that_breaks_the_contract_is_found(version, changes, problem):
    rewrite(version, **changes)
    assert said(version)[0].startswith(f"{shard(version).name}, record 0: {problem}")


def test_metadata_that_count_otherwise_are_found(version):
    info = json.loads((version / "dataset_info.json").read_text())
    info["splits"][0]["shardLengths"][0] = "99"
    (version / "dataset_info.json").write_text(json.dumps(info))
    assert said(version)[0].startswith("dataset_info.json: its shard lengths are")


def test_a_folder_without_a_build_is_refused(tmp_path):
    with pytest.raises(errors.UserError, match="holds no affectnet_faces build; make one with"):
        verify.versions(tmp_path, "")
    with pytest.raises(
        errors.UserError, match="holds no version built by this job: it has no build_report.json"
    ):
        verify.verify(tmp_path)


@pytest.mark.parametrize("name", ["build_report.json", "dataset_info.json"])
@pytest.mark.parametrize("content", ["{}", "[]", '{"shards": '])
def test_a_file_that_lacks_what_is_needed_is_damaged(version, name, content):
    (version / name).write_text(content)
    with pytest.raises(errors.UserError, match=rf"{name} is damaged \(.*; copy it again, or build"):
        verify.verify(version)


def test_the_exit_code_says_whether_all_holds(version, capsys):
    assert verify.run(str(version)) == 0
    assert (
        "3 shards, 10 examples: all checksums, counts, labels and images are correct"
        in capsys.readouterr().out
    )
    change(shard(version), 100)
    assert verify.run(str(version)) == 1
    assert f"damaged       {version}: 3 shards" in capsys.readouterr().out
    with pytest.raises(errors.UserError, match="holds no affectnet_faces build"):
        verify.run(str(version.parent / "nothing"))
