"""Images from anywhere: each is an image or a reject, within the stated memory and time."""

import csv
import io
import pathlib
import subprocess
import sys

import cv2
import numpy as np
import PIL.Image
import pytest

from affectnet_tfds import crop_geometry, image_codec, image_header, invalid_example
from pipeline.shards import row_example
from runtime import errors
from tests.faults import hostile_images, image_fuzz
from tests.pipeline import test_main

SEEDS = hostile_images.seeds()
BOMBS = hostile_images.bombs()


def reject(content: bytes, **options) -> invalid_example.InvalidExample:
    with pytest.raises(invalid_example.InvalidExample) as raised:
        image_codec.decode(content, **options)
    return raised.value


def saved(pixels: np.ndarray, kind: str, **options) -> bytes:
    out = io.BytesIO()
    PIL.Image.fromarray(pixels).save(out, kind, **options)
    return out.getvalue()


@pytest.mark.parametrize("name", SEEDS)
def test_every_variant_of_the_formats_that_are_promised_is_read(name):
    content = SEEDS[name]
    size = image_codec.read_header(content).size
    with PIL.Image.open(io.BytesIO(content)) as opened:
        assert (opened.format, opened.size) == (image_header.read(content).format, size)
    assert image_codec.decode(content).shape == (size[1], size[0], 3)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("PNG of 65500 x 1", "picture too narrow"),
        ("PNG of 1 x 99,999,999", "picture too large"),
        ("PNG of 70,000 chunks", "too much metadata"),
        ("GIF of 10 x 10, frame at 60000", "picture too large"),
        ("GIF of 5 MB of comments", "too much metadata"),
        ("JPEG of 64 x 64, 100,000 scans", "too many scans"),
        ("JPEG of 2 MB between segments", "too much metadata"),
        ("JPEG of 65500 x 1", "picture too narrow"),
        ("TIFF of 9999 x 9999 without pixels", "picture too large"),
        ("TIFF of 2^31 numbers", "too much metadata"),
        ("TIFF of 5,000,000 numbers", "too much metadata"),
        ("BMP of 9999 x 9999 without pixels", "picture too large"),
        ("BMP of runs that skip 255 rows of 50,000,000", "picture too large"),
        ("EPS, which Ghostscript would run", "format not supported"),
        ("PPM in text", "format not supported"),
        ("DDS", "format not supported"),
        ("AVIF", "format not supported"),
        ("HTML", "not a picture"),
        ("empty", "empty file"),
    ],
)
@pytest.mark.parametrize("way", image_fuzz.WAYS)
def test_what_claims_too_much_is_a_reject_of_its_kind(name, reason, way):
    with pytest.raises(invalid_example.InvalidExample) as raised:
        image_fuzz.WAYS[way](BOMBS[name](), 0)
    assert raised.value.reason == reason


@pytest.mark.parametrize(
    "name", ["JPEG of an endless orientation", "JPEG of an orientation that is no number"]
)
def test_an_orientation_that_is_no_whole_number_leaves_the_image_as_stored(name):
    content = BOMBS[name]()
    assert image_codec.orientation(content, image_codec.read_header(content)) == 1


def test_no_decoder_of_another_format_is_ever_opened(monkeypatch):
    asked = []
    opened = PIL.Image.open

    def watched(file, mode="r", formats=None):
        asked.append(formats)
        return opened(file, mode, formats)

    monkeypatch.setattr(PIL.Image, "open", watched)
    for content in SEEDS.values():
        header = image_codec.read_header(content)
        image_codec.decode(content)
        image_codec.orientation(content, header)
    assert {len(formats) for formats in asked} == {1}
    assert {formats[0] for formats in asked} == set(image_header.FORMATS)


def test_a_format_that_is_not_read_is_refused_by_its_name():
    fault = reject(saved(np.zeros((8, 8, 3), np.uint8), "JPEG2000"))
    assert fault.reason == "format not supported"
    assert str(fault).startswith("JPEG 2000 is not read, but JPEG, PNG, BMP, TIFF, WEBP, GIF are")


def test_whatever_a_decoder_raises_is_a_reject(monkeypatch):
    class Unheard(Exception):
        """What no decoder has raised yet."""

    def fail(self):
        raise Unheard("first line\nsecond line")

    monkeypatch.setattr(PIL.Image.Image, "load", fail)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", fail)
    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", fail, raising=False)
    fault = reject(SEEDS["png"])
    assert (fault.reason, str(fault)) == ("broken picture", "PNG data: first line second line")


@pytest.mark.parametrize("is_free", [True, False])
def test_a_decoder_that_asks_for_too_much_memory_is_told_from_a_machine_without(
    monkeypatch, is_free
):
    def fail(self):
        raise MemoryError

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", fail)
    monkeypatch.setattr(image_codec, "_has_memory", lambda: is_free)
    if is_free:
        assert reject(SEEDS["bmp"]).reason == "broken picture"
    else:
        with pytest.raises(MemoryError):
            image_codec.decode(SEEDS["bmp"])


def deep_tiff(samples: np.ndarray, **tags: object) -> bytes:
    return saved(samples, "TIFF", **({"tiffinfo": tags["tags"]} if tags else {}))


@pytest.mark.parametrize(
    ("samples", "wanted"),
    [
        (np.array([[0, 0.5, 1]], np.float32), [0, 128, 255]),
        (np.array([[0, 32896, 65535]], np.uint16), [0, 128, 255]),
        (np.array([[0, 128, 255]], np.uint16), [0, 0, 1]),
    ],
)
def test_deep_samples_are_scaled_by_the_range_of_their_type(samples, wanted):
    assert image_codec.decode(deep_tiff(samples))[0, :, 0].tolist() == wanted


@pytest.mark.parametrize(
    "samples",
    [
        np.array([[0, np.nan, 1]], np.float32),
        np.array([[0, np.inf, 1]], np.float32),
        np.array([[0, 100, 255]], np.float32),
        np.array([[0, 100, 255]], np.int32),
        np.array([[0, 2**20, 2**30]], np.int32),
    ],
)
def test_samples_of_an_unknown_range_are_a_reject_and_not_black_or_white(samples):
    assert reject(deep_tiff(samples)).reason == "unknown range of samples"


def test_a_tiff_may_say_the_range_of_its_samples():
    samples = np.array([[0, 2000, 4000]], np.uint16)
    content = deep_tiff(samples, tags={280: 0, 281: 4000})
    assert image_codec.decode(content)[0, :, 0].tolist() == [0, 128, 255]


def test_sixteen_bits_whose_black_is_the_largest_number_are_inverted():
    content = deep_tiff(np.array([[0, 65535]], np.uint16), tags={262: 0})
    with PIL.Image.open(io.BytesIO(content)) as opened:
        assert opened.tag_v2[262] in (0, 1)
        inverted = opened.tag_v2[262] == 0
    assert image_codec.decode(content)[0, 0, 0] == (255 if inverted else 0)


@pytest.mark.parametrize("box", [(0, 0, 1e5, 1e5), (1, 1, 1e9, 1e9), (-1e300, 0, 1e308, 9)])
def test_a_box_far_larger_than_its_image_is_a_reject(box):
    with pytest.raises(invalid_example.InvalidExample) as raised:
        crop_geometry.square(box, picture_size=(64, 64), margin_frac=0.15)
    assert raised.value.reason == "box too large"


def test_a_large_square_that_leaves_its_image_is_cut_from_a_smaller_copy(monkeypatch):
    pixels = np.zeros((300, 900, 3), np.uint8)
    pixels[:, :450] = 200
    area = crop_geometry.Square(-100, -300, 900)
    whole = crop_geometry.crop(pixels, area, image_size=64)
    monkeypatch.setattr(crop_geometry, "MAX_PADDED_PIXELS", 900 * 900 - 1)
    padded = []
    pad = cv2.copyMakeBorder
    monkeypatch.setattr(
        cv2, "copyMakeBorder", lambda *args, **kw: padded.append(pad(*args, **kw)) or padded[-1]
    )
    small = crop_geometry.crop(pixels, area, image_size=64)
    assert padded[0].shape == (128, 128, 3)
    assert np.abs(whole.astype(int) - small).mean() < 2


def test_a_box_that_shrinking_moves_out_of_its_image_is_black():
    pixels = np.full((10, 10, 3), 255, np.uint8)
    face = crop_geometry.crop(pixels, crop_geometry.Square(10, 2, 4), image_size=8)
    assert face.shape == (8, 8, 3) and not face.any()


def rejects_of(built) -> dict[str, dict[str, str]]:
    with (built.version / "rejects.csv").open(encoding="utf-8") as file:
        return {pathlib.Path(row["file"]).stem[-2:]: row for row in csv.DictReader(file)}


def test_no_image_ends_a_build_and_a_defect_of_ours_is_told_apart(
    job_config, monkeypatch, small_release, capsys
):
    hostile = [
        BOMBS["EPS, which Ghostscript would run"](),
        BOMBS["DDS"](),
        BOMBS["PNG of 65500 x 1"](),
        SEEDS["webp"][:200],
    ]
    images = sorted(small_release.rglob("*.jpg"), key=lambda path: path.name)
    for image, content in zip(images, hostile, strict=False):
        image.write_bytes(content)
    ours = images[10].read_bytes()
    crop = row_example.crop

    def fails_once(content, row, settings):
        if content == ours:
            raise OverflowError("a number that nobody thought of")
        return crop(content, row, settings)

    monkeypatch.setattr(row_example, "crop", fails_once)
    built = test_main.run(job_config(max_reject_frac=1, balance="none"))
    rejected = rejects_of(built)
    reasons = {name: row["reason"] for name, row in rejected.items()}
    assert reasons == {
        images[0].stem[-2:]: "format not supported",
        images[1].stem[-2:]: "format not supported",
        images[2].stem[-2:]: "box outside the picture",
        images[3].stem[-2:]: "broken picture",
        images[10].stem[-2:]: invalid_example.DEFECT,
    }
    detail = rejected[images[10].stem[-2:]]["detail"]
    assert detail.startswith("please report it: OverflowError in test_hostile_images.py, line ")
    assert dict(built.account.reasons())[invalid_example.DEFECT] == 1
    console_says_so(built, capsys)


def console_says_so(built, capsys) -> None:
    from pipeline import console

    console.Console().finished(built)
    (line,) = [x for x in capsys.readouterr().out.splitlines() if x.startswith("defects")]
    assert line.startswith(
        "defects       1 of these rows were rejected by an error of this program"
    )


def test_a_machine_without_memory_for_an_image_ends_a_build_in_a_sentence(job_config, monkeypatch):
    def fails(content, row, settings):
        raise MemoryError

    monkeypatch.setattr(row_example, "crop", fails)
    with pytest.raises(errors.UserError, match=r"^not enough memory for .*\.jpg: .*continues$"):
        test_main.run(job_config())


def test_mutants_of_all_formats_are_images_or_rejects():
    count = 10 * len(SEEDS)
    seen = [*image_fuzz.watched(image_fuzz.mutants, 0, count)]
    assert len(seen) == len(image_fuzz.WAYS) * count
    assert not [(each.name, each.fault) for each in seen if each.fault]
    assert {each.outcome for each in seen} == {"image", "reject"}


@pytest.mark.faults
def test_many_mutants_and_all_bombs_are_images_or_rejects():
    command = [sys.executable, "-m", "tests.faults.image_fuzz", "--mutants=5000"]
    done = subprocess.run(command, capture_output=True, text=True)
    print(done.stdout)
    assert done.returncode == 0 and done.stdout.count("faults        0\n") == 2
