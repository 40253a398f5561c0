"""Untrusted input: what is opened at all, YAML within bounds, names that are safe to print."""

import bz2
import errno
import gzip
import lzma
import os
import pathlib
import pickle
import pty
import socket
import time

import pytest

from runtime import errors, fields, flags, program, untrusted


def put(path: pathlib.Path, content: bytes = b"1") -> pathlib.Path:
    path.write_bytes(content)
    return path


def sentence(path: pathlib.Path | str, **limits) -> str:
    with pytest.raises(OSError) as raised:
        untrusted.check(path, **{"at_most": 10, **limits})
    return str(program.refusal_for(raised.value))


def test_pipes_devices_terminals_and_sockets_are_refused_without_being_opened(
    tmp_path, monkeypatch
):
    os.mkfifo(tmp_path / "fifo")
    listening = socket.socket(socket.AF_UNIX)
    monkeypatch.chdir(tmp_path)  # The name of a socket may have 107 characters.
    listening.bind("socket")
    _, terminal = pty.openpty()
    kinds = {
        "fifo": "a named pipe",
        "socket": "a socket",
        "/dev/zero": "a device or terminal",
        "/dev/ptmx": "a device or terminal",
        os.ttyname(terminal): "a device or terminal",
    }
    monkeypatch.setattr(os, "open", None)
    for path, kind in kinds.items():
        assert sentence(path) == (
            f"cannot use {path}: it is {kind}, and only regular files are read"
        )
    listening.close()


def test_a_file_is_as_large_as_such_files_are(tmp_path):
    sparse = put(tmp_path / "a")
    os.truncate(sparse, 8_000_000_000)
    assert sentence(sparse, at_most=4_000_000) == (
        f"cannot use {sparse}: it has 8,000.0 MB, and such a file may have 4 MB"
    )
    untrusted.check(put(tmp_path / "b"), at_most=1)
    with pytest.raises(FileNotFoundError):
        untrusted.check(tmp_path / "none", at_most=1)


def test_a_link_may_lead_anywhere_but_out_of_the_folder_that_is_named(tmp_path):
    inside = tmp_path / "in"
    (inside / "real").mkdir(parents=True)
    secret = put(tmp_path / "secret")
    (inside / "here").symlink_to(put(inside / "real/file"))
    (inside / "out").symlink_to(secret)
    (inside / "folder").symlink_to(tmp_path)
    untrusted.check(inside / "here", at_most=1, within=str(inside))
    for name in ("out", "folder/secret"):
        untrusted.check(inside / name, at_most=1)
        assert "a link leads out of the input folder" in sentence(inside / name, within=str(inside))
    (inside / "circle").symlink_to(inside / "circle")
    with pytest.raises(OSError) as raised:
        untrusted.check(inside / "circle", at_most=1, within=str(inside))
    assert raised.value.errno == errno.ELOOP


def test_text_in_another_encoding_is_named(tmp_path):
    assert untrusted.decoded("\ufeffä".encode(), where="x") == "ä"
    for encoding in ("utf-16", "utf-16-le", "utf-16-be"):
        with pytest.raises(errors.UserError, match="^x is in UTF-16, and must be in UTF-8"):
            untrusted.decoded("path,label\n".encode(encoding), where="x")
    with pytest.raises(errors.UserError, match="x must be text in UTF-8: byte 1 is 0xf6"):
        untrusted.decoded(b"a\xf6", where="x")
    with pytest.raises(errors.UserError, match="it begins with zero bytes"):
        untrusted.decoded(bytes(100), where="x")


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (gzip.compress(b"path,label\n", mtime=0), "compressed with gzip"),
        (bz2.compress(b"path,label\n"), "compressed with bzip2"),
        (lzma.compress(b"path,label\n"), "compressed with xz"),
        (b"PK\x03\x04\x14\0\0\0\x08\0", "a ZIP archive, or an Excel workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500), "a workbook of Excel or another"),
        (pickle.dumps({"a.jpg": 1}), "a Python pickle"),
        (b"%PDF-1.7\n", "a PDF"),
    ],
)
def test_what_is_no_text_is_called_by_its_name(content, what):
    with pytest.raises(
        errors.UserError, match=f"^x is {what}.*, and must be text in UTF-8: unpack"
    ):
        untrusted.check_encoding(content, where="x")


LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{','.join([f'*{chr(97 + i)}'] * 10)}]\n" for i in range(9)
)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 60_000,
        "- " * 30_000,
        "a: " + "{b: " * 5_000,
        LAUGHS,
        "a: &a [*a]",
        "when: 2001-99-99",
        "when: 2001-01-01T99:99:99Z",
        "x: " + "9" * 5_000,
        "x: 1" + ":1" * 20_000,
        "!!python/object/apply:os.system [ls]",
        "? [a]\n: 1",
        "a: *b",
        "\x01",
        "x: !!float abc",
        "x: !!binary abc",
        "<<: 1",
    ],
    ids=lambda text: text[:20],
)
def test_hostile_yaml_is_one_sentence_within_a_second(text):
    start = time.process_time()
    with pytest.raises(errors.UserError, match=r"^x\.yaml must (be YAML: |hold at most)") as no:
        untrusted.parse_yaml(text, where="x.yaml")
    assert time.process_time() - start < 1
    assert len(str(no.value)) < 400


def test_plain_yaml_with_aliases_is_read():
    text = "base: &b {rate: 0.1, steps: [1, 2]}\nrun:\n  <<: *b\n  more: *b\n"
    base = {"rate": 0.1, "steps": [1, 2]}
    assert untrusted.parse_yaml(text, where="x") == {"base": base, "run": {**base, "more": base}}
    assert untrusted.parse_yaml("", where="x") is None


def test_names_are_printed_without_what_moves_a_cursor_and_kept_otherwise():
    assert untrusted.printable("a\x1b[2J\r\nb\u202ec\x9b") == "a\\x1b[2J\\x0d\\x0ab\\u202ec\\x9b"
    assert untrusted.printable(os.fsdecode(b"fr\xf6hlich.jpg")) == "fr\\xf6hlich.jpg"
    assert untrusted.readable(os.fsdecode(b"fr\xf6hlich\x1b.jpg")) == "fr\\xf6hlich\x1b.jpg"
    for plain in ("fröhlich.jpg", "喜び.png", "a b"):
        assert untrusted.printable(plain) == untrusted.readable(plain) == plain


@pytest.mark.parametrize("text", ["=1+1", "+1", "-a.jpg", "@SUM(1)"])
def test_text_that_a_spreadsheet_would_compute_is_quoted(text):
    assert untrusted.cell(text) == f"'{text}"
    assert untrusted.of_cell(untrusted.cell(text)) == text
    assert untrusted.cell(-1) == -1
    assert untrusted.cell("a=1") == untrusted.of_cell("a=1") == "a=1"
    assert untrusted.of_cell("'quoted'") == "'quoted'"


def test_negative_numbers_in_text_are_numbers_to_whoever_reads_the_cell():
    assert [untrusted.cell(text) for text in ("-1.5", "-30", "-1+2", "-", "-1.")] == [
        "-1.5",
        "-30",
        "'-1+2",
        "'-",
        "'-1.",
    ]


def parsed(*given: str) -> list[str]:
    values = flags.flags.FlagValues()
    flags.flags.DEFINE_string("flagfile", "", "", flag_values=values)
    flags.flags.DEFINE_string("name", "", "", flag_values=values)
    flags.parse(["program", *given], sections={}, values=values)
    return values["name"].value


def test_flag_files_are_regular_ones_of_text_and_so_are_those_that_they_name(tmp_path):
    inner = put(tmp_path / "inner", b"--name=a\n")
    outer = put(tmp_path / "outer", f"--flagfile={inner}\n".encode())
    assert parsed(f"--flagfile={outer}") == "a"
    os.mkfifo(tmp_path / "fifo")
    outer.write_text(f"--flagfile={tmp_path}/fifo\n")
    for words in ([f"--flagfile={outer}"], ["--flagfile", "/dev/zero"]):
        with pytest.raises(OSError, match="only regular files are read"):
            parsed(*words)
    inner.write_text(f"--flagfile={inner}\n--name=b\n")
    assert parsed(f"--flagfile={inner}") == "b"
    inner.write_bytes("--name=a".encode("utf-16"))
    with pytest.raises(errors.UserError, match="UTF-16"):
        parsed(f"--flagfile={inner}")


class Numbers(fields.Checked):
    """Two numbers."""


@pytest.mark.parametrize("raw", ["4_0", "٤", "４０"])
def test_a_number_is_written_in_ascii_digits(raw):
    assert int(raw)
    assert not fields.is_plain(raw)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "Expecting value"),
        (b"{", "Expecting property name"),
        (b'{"a": "\xff"}', "can't decode byte 0xff"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a": ' + b"9" * 5000 + b"}", "limit"),
        (b"[]", "values by name were expected: got list"),
        (b"5", "got int"),
        (b"null", "got NoneType"),
    ],
)
def test_damaged_content_is_one_kind_of_error(tmp_path, content, why):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=why):
        untrusted.read_json_object(path)


def test_what_is_no_regular_file_of_a_sane_size_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_bytes(b" " * 101)
    for name, why in [("pipe", "a named pipe"), ("large", "may have"), ("none", "No such file")]:
        with pytest.raises(OSError, match=why) as caught:
            untrusted.read_json(tmp_path / name, at_most=100)
        assert errors.of_system(caught.value), "it names the file"


def test_an_object_is_returned(tmp_path):
    (tmp_path / "a.json").write_text('{"ä": [1]}', encoding="utf-8")
    assert untrusted.read_json_object(tmp_path / "a.json") == {"ä": [1]}
