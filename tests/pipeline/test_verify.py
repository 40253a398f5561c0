"""Verification finds what is wrong, and where."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from affectnet_tfds import dataset_paths, example_codec, tfrecord
from affectnet_tfds.reader import shard_index
from pipeline import report, verify
from pipeline.files import checksums
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


@pytest.fixture
def old_version(version) -> Path:
    """A copy as an earlier release has built it: without sums, indexes, licence, card,
    Croissant and copies."""
    indexes = (path.name for path in version.glob("*.index"))
    copies = ("duplicates.csv", "duplicate_pictures.json")
    others = ("LICENSE", "README.md", "croissant.json")
    for name in (checksums.FILE, *others, *copies, *indexes):
        (version / name).unlink()
    return version


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


def test_an_index_that_is_damaged_or_of_another_shard_is_found(version):
    index = version / dataset_paths.index_name(shard(version).name)
    whole = index.read_bytes()
    change(index, 90)
    assert said(version) == [f"{index.name}: its sha256 is not the one in SHA256SUMS"]
    (version / checksums.FILE).unlink()
    assert said(version) == [
        f"{index.name}: it cannot be read: its SHA-256 is not the one in its second line"
    ]
    rows = shard_index.decode(whole).copy()
    rows["label"][0] += 1
    index.write_bytes(shard_index.encode(rows))
    assert said(version) == [f"{index.name}: it is not the index of its shard"]


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


def test_metadata_that_count_otherwise_are_found(old_version):
    info = json.loads((old_version / "dataset_info.json").read_text())
    info["splits"][0]["shardLengths"][0] = "99"
    (old_version / "dataset_info.json").write_text(json.dumps(info))
    assert said(old_version)[0].startswith("dataset_info.json: its shard lengths are")


def test_one_flipped_bit_in_any_file_is_named(version):
    for path in sorted(version.iterdir()):
        if ".tfrecord" not in path.name:
            content = path.read_bytes()
            for at in {0, len(content) // 2, len(content) - 1} if content else ():
                change(path, at)
                assert path.name in {problem.file for problem in verify.verify(version)}, at
                path.write_bytes(content)
    assert said(version) == []


def test_fear_does_not_become_bear(version):
    path = version / "label.labels.txt"
    path.write_bytes(path.read_bytes().replace(b"fear", b"bear"))
    assert said(version) == ["label.labels.txt: its sha256 is not the one in SHA256SUMS"]


@pytest.mark.parametrize("name", ["features.json", "rejects.csv", "report.html", "sidecars.json"])
def test_a_missing_file_is_named(version, name):
    (version / name).unlink()
    assert said(version) == [f"{name}: the file {name} is missing"]


def test_the_shards_are_compared_although_their_report_is_damaged(version):
    (version / "build_report.json").write_text("{}")
    change(shard(version), 100)
    assert [problem.file for problem in verify.verify(version)] == [
        "build_report.json",
        shard(version).name,
    ]


@pytest.mark.parametrize("line", ["../../secret", "/etc/hostname"])
def test_a_sum_of_a_file_elsewhere_is_not_looked_up(version, line):
    sums = version / checksums.FILE
    sums.write_text(f"{sums.read_text()}{'0' * 64}  {line}\n")
    assert {problem.file for problem in verify.verify(version)} == {checksums.FILE}


def test_sha256sum_checks_the_sums(version):
    command = ["sha256sum", "--check", "--strict", "--quiet", checksums.FILE]
    assert subprocess.run(command, cwd=version, check=False).returncode == 0
    change(version / "rejects.csv", 3)
    done = subprocess.run(command, cwd=version, check=False, capture_output=True, text=True)
    assert done.returncode and done.stdout == "rejects.csv: FAILED\n"


def test_a_version_of_an_earlier_release_says_what_is_not_checked(old_version, capsys):
    assert verify.run(str(old_version)) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("not checked   build_report.json, dataset_info.json, features.json")
    assert "a build of an earlier release, without SHA256SUMS\nverified      " in printed


def test_a_report_that_is_written_again_has_its_new_sum(version):
    (version / "report.html").write_text("old")
    report.run(str(version))
    assert said(version) == []


def test_a_default_config_that_is_not_published_is_named(published, capsys):
    data_dir = published.parents[2]
    path = data_dir / "affectnet_faces/.config/metadata.json"
    good = path.read_text()
    path.write_text(good.replace("tiny", "tinx"))
    assert verify.run(str(data_dir)) == 1
    assert f"{path}: it names none of the published configs" in capsys.readouterr().out
    path.write_text(good)
    assert verify.run(str(data_dir)) == 0


def test_a_folder_without_a_build_is_refused(tmp_path):
    with pytest.raises(errors.UserError, match="holds no affectnet_faces build; make one with"):
        verify.versions(tmp_path, "")
    with pytest.raises(
        errors.UserError, match="holds no version built by this job: it has no build_report.json"
    ):
        verify.verify(tmp_path)


@pytest.mark.parametrize("name", ["build_report.json", "dataset_info.json"])
@pytest.mark.parametrize("content", ["{}", "[]", '{"shards": '])
def test_a_file_that_lacks_what_is_needed_is_damaged(old_version, name, content):
    (old_version / name).write_text(content)
    with pytest.raises(errors.UserError, match=rf"{name} is damaged \(.*; copy it again, or build"):
        verify.verify(old_version)


def test_damage_within_the_report_of_an_earlier_release_is_a_sentence(old_version):
    path = old_version / "build_report.json"
    content = path.read_bytes()
    for key in (b'"name": "aff', b'"sha256"', b'"num_examples"', b'"label_counts"', b'"shards"'):
        path.write_bytes(content.replace(key, key.replace(b"a", b"b").replace(b"n", b"m")))
        with pytest.raises(errors.UserError, match=r"build_report.json is damaged \("):
            verify.verify(old_version)


def test_the_exit_code_says_whether_all_holds(version, capsys):
    assert verify.run(str(version)) == 0
    assert (
        "3 shards, 10 examples: all checksums, counts, labels and images are correct"
        in capsys.readouterr().out
    )
    change(shard(version), 100)
    assert verify.run(str(version)) == 1
    assert f"damaged       {version}: 2 problems" in capsys.readouterr().out
    with pytest.raises(errors.UserError, match="holds no affectnet_faces build"):
        verify.run(str(version.parent / "nothing"))
