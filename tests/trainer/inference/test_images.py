"""Input images: found, decoded once for each size, turned upright, and cut as the pipeline does."""

import os
import pathlib

import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest

from affectnet_tfds import face_crop, image_codec, invalid_example
from pipeline.sources import passed_over as passed_over_lib
from tests.trainer import conftest
from tests.trainer.inference import samples
from trainer.inference import images

GEOMETRY = conftest.GEOMETRY


def cut(image: images.InputImage, box, *, points=None, geometry=GEOMETRY) -> face_crop.Cut:
    place = face_crop.locate(box, points=points, picture_size=image.size, geometry=geometry)
    return image.cut(place, points=points, image_size=geometry.image_size)


@pytest.fixture
def decoded(monkeypatch) -> list[float]:
    """The part of its size to which each image is decoded, in the order of the calls."""
    parts: list[float] = []
    decode = image_codec.decode

    def counted(content, header=None, *, scale=1.0):
        parts.append(scale)
        return decode(content, header, scale=scale)

    monkeypatch.setattr(image_codec, "decode", counted)
    return parts


@pytest.mark.parametrize("draw", [samples.gradient, samples.noise])
@pytest.mark.parametrize("size", [(400, 300), (1203, 897), (97, 61)])
@pytest.mark.parametrize(
    "box", [samples.BOX, (-30.0, -8.0, 90.0, 90.0), (5.0, 5.0, 90.0, 300.0), None]
)
def test_a_face_is_cut_exactly_as_the_pipeline_cuts_it(box, size, draw, tmp_path):
    pixels = draw(width=size[0], height=size[1])
    content = samples.save(tmp_path / "a.jpg", pixels, quality=95).read_bytes()
    image = images.from_bytes(content, name="a.jpg")
    np.testing.assert_array_equal(cut(image, box).face, samples.pipeline_crop(content, box=box))


def test_a_jpeg_is_decoded_once_for_each_size_and_not_for_each_face(tmp_path, decoded):
    path = samples.save(tmp_path / "a.jpg", samples.noise(width=800, height=600))
    (image,) = images.read(path, every_s=1)
    assert decoded == []
    for left in (0.0, 100.0, 200.0):
        cut(image, (left, 50.0, 150.0, 150.0))  # 32 px of 195, from twice as many: 3/8.
    assert decoded == [3 / 8]
    cut(image, (10.0, 10.0, 40.0, 40.0))  # 32 px of 52: all.
    assert image.pixels.shape == (600, 800, 3)
    cut(image, (60.0, 10.0, 40.0, 40.0))
    assert decoded == [3 / 8, 1.0]


@pytest.mark.parametrize(("name", "orientation"), [("a.png", 1), ("a.jpg", 6)])
def test_other_images_are_decoded_once(name, orientation, tmp_path, decoded):
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    path = samples.save(tmp_path / name, samples.noise(width=800, height=600), exif=exif)
    (image,) = images.read(path, every_s=1)
    cut(image, (10.0, 10.0, 40.0, 40.0))
    cut(image, (10.0, 10.0, 400.0, 400.0))
    assert image.pixels.size == 800 * 600 * 3 and decoded == [1.0]


def test_an_aligned_build_is_cut_by_the_five_points_of_the_detector():
    image = images.from_pixels(samples.gradient(width=400, height=300), name="a")
    points = np.array([(180, 130), (220, 150), (195, 160), (170, 170), (205, 190)], np.float32)
    aligned = GEOMETRY._replace(align=True)
    box = (150.0, 100.0, 100.0, 110.0)
    assert cut(image, box, points=points, geometry=aligned).aligned
    assert not cut(image, box, points=points, geometry=GEOMETRY).aligned


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
@pytest.mark.parametrize(
    ("orientation", "corner"),
    [
        (1, (0, 0)),
        (2, (0, -1)),
        (3, (-1, -1)),
        (4, (-1, 0)),
        (5, (0, 0)),
        (6, (0, -1)),
        (7, (-1, -1)),
        (8, (-1, 0)),
    ],
)
def test_the_orientation_that_a_camera_notes_is_applied(orientation, corner, name, tmp_path):
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[:8, :16] = 255  # In the upper left corner as stored, twice as wide as high.
    content = samples.save(tmp_path / name, pixels, exif=exif, quality=100).read_bytes()
    image = images.from_bytes(content, name="a")
    is_on_its_side = orientation in (5, 6, 7, 8)
    assert image.size == ((40, 60) if is_on_its_side else (60, 40))
    assert image.pixels.shape[:2] == image.size[::-1]
    assert image.pixels[corner].min() > 250
    bright = image.pixels[:, :, 0] > 128
    assert (bright.any(axis=0).sum(), bright.any(axis=1).sum()) == (
        (8, 16) if is_on_its_side else (16, 8)
    )
    # Turning is Pillow's, decoding is the pipeline's.
    stored = PIL.Image.fromarray(image_codec.decode(content))
    stored.getexif()[0x0112] = orientation
    np.testing.assert_array_equal(image.pixels, np.asarray(PIL.ImageOps.exif_transpose(stored)))


def test_an_unknown_orientation_leaves_the_image_as_stored(tmp_path):
    exif = PIL.Image.Exif()
    exif[0x0112] = 9
    pixels = samples.gradient(width=60, height=40)
    path = samples.save(tmp_path / "a.png", pixels, exif=exif)
    (image,) = images.read(path, every_s=1)
    np.testing.assert_array_equal(image.pixels, pixels)


def test_what_a_file_is_its_first_bytes_say(tmp_path):
    samples.save(tmp_path / "a.jpg", samples.gradient(width=60, height=40)).rename(
        tmp_path / "a.mp4"
    )
    (image,) = images.read(tmp_path / "a.mp4", every_s=1)
    assert image.size == (60, 40) and image.time_s is None
    samples.write_video(tmp_path / "a.avi", levels=[0, 50], frames_per_s=10).rename(
        tmp_path / "a.jpg"
    )
    (frame,) = images.read(tmp_path / "a.jpg", every_s=1)
    assert frame.size == (64, 48) and frame.time_s == 0


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.jpg", b"", "the file has no bytes"),
        ("a.jpg", b"hello, world", "no known picture format: begins with 'hello, world'"),
        ("a.avi", b"hello, world", "no known picture format: begins with 'hello, world'"),
        ("a.avi", b"RIFF\0\0\0\0AVI LIST", "OpenCV finds no video in it"),
        ("a.jpg", None, "No such file or directory"),
        ("a.mp4", None, "No such file or directory"),
    ],
)
def test_the_error_of_an_unreadable_file_says_why(name, content, reason, tmp_path):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(invalid_example.InvalidExample, match=reason):
        list(images.read(tmp_path / name, every_s=1))


def test_what_is_no_regular_file_of_a_sane_size_is_refused_without_being_opened(tmp_path):
    os.mkfifo(tmp_path / "a.jpg")
    os.mkfifo(tmp_path / "a.mp4")
    (tmp_path / "b.jpg").touch()
    os.truncate(tmp_path / "b.jpg", 8_000_000_000)
    for path, reason in (
        (tmp_path / "a.jpg", "it is a named pipe"),
        (tmp_path / "a.mp4", "it is a named pipe"),
        (tmp_path / "b.jpg", "it has 8,000.0 MB, and such a file may have 100 MB"),
        (pathlib.Path("/dev/zero"), "it is a device or terminal"),
        (pathlib.Path("/dev/ptmx"), "it is a device or terminal"),
    ):
        with pytest.raises(invalid_example.InvalidExample, match=reason):
            list(images.read(path, every_s=1))


def test_a_jpeg_that_ends_early_is_refused_where_it_is_decoded(tmp_path):
    path = samples.save(tmp_path / "a.jpg", samples.noise(width=400, height=300))
    path.write_bytes(path.read_bytes()[:3000])
    (image,) = images.read(path, every_s=1)
    with pytest.raises(invalid_example.InvalidExample, match="the JPEG data end early"):
        cut(image, None)


def test_a_folders_images_are_those_that_the_job_takes(tmp_path):
    taken = ["a.jfif", "b.JPE", "c.heic", "d", "deep/e.jpg"]
    passed_over = ["._a.jpg", "__MACOSX/a.jpg", "notes.txt", "Thumbs.db"]
    for name in taken + passed_over:
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"\xff\xd8\xff" if name in taken else b"text")
    # Neither can be read, which is said of each.
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "to nothing.png").symlink_to("nowhere")
    (tmp_path / "folder.jpg").mkdir()
    taken += ["pipe.jpg", "to nothing.png"]
    found = [file.relative_to(tmp_path).as_posix() for file in images.find([str(tmp_path)])]
    assert found == taken
    tally = passed_over_lib.Tally(tmp_path, follow_links=False)
    assert tally.images_below("", nested=True) == taken


def test_a_folder_gives_its_images_and_videos_in_order_and_an_empty_one_is_refused(tmp_path):
    for name in ("b/2.PNG", "a.jpg", "b/1.mp4", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    names = [path.relative_to(tmp_path).as_posix() for path in images.find([str(tmp_path)])]
    assert names == ["a.jpg", "b/1.mp4", "b/2.PNG"]
    (tmp_path / "empty").mkdir()
    (path,) = images.find([str(tmp_path / "empty")])
    with pytest.raises(
        invalid_example.InvalidExample, match="no file in it is an image or a video"
    ):
        list(images.read(path, every_s=1))


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_a_large_image_is_shrunk_for_the_detector_and_a_small_one_is_not(name, tmp_path, decoded):
    path = samples.save(tmp_path / name, samples.noise(width=800, height=600))
    (image,) = images.read(path, every_s=1)
    assert image.shrunk(400 * 300).shape == (300, 400, 3)
    assert decoded == [1.0 if name == "a.png" else 0.5]
    assert image.shrunk(800 * 600).shape == (600, 800, 3)
    assert image.shrunk(10).shape == (2, 3, 3)


def test_a_tiff_is_turned_once(tmp_path):
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    path = samples.save(tmp_path / "a.tif", samples.gradient(width=60, height=40), exif=exif)
    (image,) = images.read(path, every_s=1)
    assert image.size == (40, 60) and image.pixels.shape == (60, 40, 3)
