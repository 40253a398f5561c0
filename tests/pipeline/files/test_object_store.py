"""Object store paths: the same results as pathlib's, and Unreachable where a store fails."""

import pathlib
import pickle

import pytest

from pipeline.files import object_store, storage
from pipeline.rows import annotations
from pipeline.shards import image_files
from pipeline.sources import base
from pipeline.sources.layouts import registry
from runtime import errors
from tests.pipeline.files import s3_server

ROOT = object_store.RemotePath("s3://bucket", "")


def write(**files: str) -> None:
    for name, text in files.items():
        (ROOT / name.replace("__", "/").replace("_dot_", ".")).write_text(text)


@pytest.mark.parametrize("text", ["a/b.jpg", "a/b.tar.gz", "a/.hidden", "a/b.", "a/b", "a"])
def test_names_are_taken_apart_as_pathlib_does(text):
    place, path = ROOT / text, pathlib.PurePosixPath(text)
    assert (place.name, place.suffix, place.parent.key or ".") == (
        path.name,
        path.suffix,
        str(path.parent),
    )
    assert place.with_suffix(".PNG").key == str(path.with_suffix(".PNG"))
    assert place.with_name("c").key == str(path.with_name("c"))


def test_a_url_comes_back_as_it_was():
    assert str(storage.path("s3://bucket/a/b")) == "s3://bucket/a/b"
    assert str(storage.path("gs://bucket/")) == "gs://bucket"
    assert str(storage.path("hdfs://name:8020/a") / "b") == "hdfs://name:8020/a/b"
    assert pickle.loads(pickle.dumps(ROOT / "a")) == ROOT / "a"


def test_a_path_stays_a_plain_path():
    assert type(storage.path("/data/AffectNet")) is type(pathlib.Path("/data/AffectNet"))
    assert storage.path("~/data") == pathlib.Path("~/data").expanduser()


@pytest.mark.parametrize("text", ["s3:///key", "https://host/a", "s4://bucket/a"])
def test_other_urls_are_refused(text):
    with pytest.raises(errors.UserError, match=f"one of s3://, gs://, .* and a bucket: got {text}"):
        storage.path(text)


def test_whole_paths_are_told_from_relative_ones():
    assert str(storage.join(ROOT / "a", "lists/x.csv")) == "s3://bucket/a/lists/x.csv"
    assert storage.join(ROOT / "a", "/home/x.csv") == pathlib.Path("/home/x.csv")
    assert str(storage.join(pathlib.Path("/a"), "s3://b/x.csv")) == "s3://b/x.csv"
    assert storage.relative(ROOT / "a/b.csv", ROOT / "a") == "b.csv"
    assert storage.relative(ROOT / "ab.csv", ROOT / "a") == "s3://bucket/ab.csv"


def test_files_are_written_found_read_and_removed(s3):
    write(a__x_dot_txt="one\ntwo\n", a__b__y_dot_txt="three")
    place = ROOT / "a/x.txt"
    assert place.read_text() == "one\ntwo\n"
    assert (place.is_file(), place.is_dir(), place.exists(), place.stat().st_size) == (
        True,
        False,
        True,
        8,
    )
    assert ((ROOT / "a").is_file(), (ROOT / "a").is_dir(), (ROOT / "c").exists()) == (
        False,
        True,
        False,
    )
    assert sorted(p.name for p in (ROOT / "a").iterdir()) == ["b", "x.txt"]
    assert [str(p) for p in ROOT.glob("a/*/y.*")] == ["s3://bucket/a/b/y.txt"]
    assert list(ROOT.glob("none/*")) == []
    with place.open("rb") as file:
        assert (file.readline(), file.seek(4), file.read(3)) == (b"one\n", 4, b"two")
    with place.open(encoding="utf-8") as file:
        assert list(file) == ["one\n", "two\n"]
    place.unlink()
    place.unlink(missing_ok=True)
    (ROOT / "a/b").remove_tree()
    assert s3_server.names("s3://bucket") == []


def test_a_file_that_is_not_there_is_an_ordinary_error(s3):
    for ask in (
        object_store.RemotePath.read_bytes,
        object_store.RemotePath.stat,
        object_store.RemotePath.unlink,
    ):
        with pytest.raises(FileNotFoundError):
            ask(ROOT / "none")
    found = list(storage.contents(ROOT, ["none", "none2"]))
    assert [type(one) for one in found] == [FileNotFoundError, FileNotFoundError]


def test_a_picture_is_found_whatever_the_case_of_its_name(s3):
    write(a__x_dot_JPG="1", a__Y_dot_jpg="2")
    assert image_files.read(ROOT, "a/x.jpg") == b"1"
    assert image_files.read(ROOT, "a/y.jpg") == b"2"
    missing = image_files.read(ROOT, "a/z.jpg")
    assert isinstance(missing, annotations.InvalidExample) and missing.reason == "no such file"
    assert s3.count("GET", ends="bucket") == 1, (
        "a folder is listed once, however many of its pictures are missing"
    )


def fail_times(status: int, times: int):
    """A fault of the first so many requests for pictures."""
    left = [times]

    def fault(request):
        if not request.key.endswith(".jpg") or not left[0]:
            return 0
        left[0] -= 1
        return status

    return fault


@pytest.mark.parametrize("status", [500, 503])
def test_errors_that_pass_are_waited_out(s3, status):
    write(a__x_dot_jpg="picture")
    s3.fault = fail_times(status, 3)
    assert image_files.read(ROOT, "a/x.jpg") == b"picture"


@pytest.mark.parametrize("status", [500, 403])
def test_what_a_store_does_not_give_is_no_reject(s3, monkeypatch, status):
    monkeypatch.setattr(object_store, "ATTEMPTS", 2)
    object_store._open.cache_clear()
    write(a__x_dot_jpg="picture")
    s3.fault = fail_times(status, 1000)
    with pytest.raises(
        object_store.Unreachable, match=r"cannot read or write s3://bucket/a/x.jpg: .*HeadObject"
    ):
        image_files.read(ROOT, "a/x.jpg")
    with pytest.raises(object_store.Unreachable):
        list(storage.contents(ROOT, ["a/x.jpg"]))
    object_store._open.cache_clear()


def test_a_server_that_is_not_there_is_unreachable(s3, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(object_store, "ATTEMPTS", 2)
    object_store._open.cache_clear()
    with pytest.raises(object_store.Unreachable, match="cannot read or write"):
        (ROOT / "a").is_dir()
    object_store._open.cache_clear()


def test_a_place_that_holds_no_release_is_refused_with_what_it_holds(s3):
    write(a__x_dot_txt="1", a__b__y_dot_txt="2")
    with pytest.raises(errors.UserError, match="must be a folder: s3://bucket/none does not exist"):
        registry.recognise(ROOT / "none", base.Request())
    with pytest.raises(
        errors.UserError, match="s3://bucket/a is no AffectNet release .* found: 2 txt in 2 folders"
    ):
        registry.recognise(ROOT / "a", base.Request())


def test_many_are_read_in_order(s3):
    for i in range(40):
        (ROOT / f"{i}").write_text(str(i))
    assert list(storage.contents(ROOT, map(str, range(40)))) == [str(i).encode() for i in range(40)]
