"""Videos: told by their first bytes, and frames by the time that the container says."""

import struct

import PIL.Image
import pytest

from affectnet_tfds import invalid_example
from tests.trainer.inference import samples
from trainer.inference import videos

LEVELS = [0, 50, 100, 150, 200]
CODECS = {".avi": "MJPG", ".wmv": "WMV2"}


def taken(path, *, every_s: float) -> list[tuple[float, float]]:
    """Time and level of each frame that is taken."""
    return [
        (time_s, float(frame[24, 32, 2])) for frame, time_s in videos.frames(path, every_s=every_s)
    ]


def set_durations(path, ticks: list[int]) -> None:
    """Give each frame of an MP4 file a duration of its own: variable frame rate."""
    content = path.read_bytes()
    at = content.index(b"stts") - 4
    size = struct.unpack_from(">I", content, at)[0]
    table = struct.pack(">4sII", b"stts", 0, len(ticks))
    table += b"".join(struct.pack(">II", 1, tick) for tick in ticks)
    grown = bytearray(content[:at] + struct.pack(">I", len(table) + 4) + table)
    grown += content[at + size :]
    for name in (b"moov", b"trak", b"mdia", b"minf", b"stbl"):  # The boxes around it.
        start = grown.index(name) - 4
        around = struct.unpack_from(">I", grown, start)[0]
        struct.pack_into(">I", grown, start, around + len(table) + 4 - size)
    struct.pack_into(">I", grown, grown.index(b"elst") + 12, 1 << 20)  # How much is shown.
    path.write_bytes(grown)


@pytest.mark.parametrize("suffix", [".avi", ".mp4", ".mov", ".3gp", ".mkv", ".wmv", ".ts", ".mpg"])
def test_a_video_gives_a_frame_every_so_many_seconds(suffix, tmp_path):
    path = tmp_path / f"a{suffix}"
    # MPEG-TS is recognised with more than a few packets only.
    levels = [*LEVELS, *[250] * 20]
    samples.write_video(path, levels=levels, frames_per_s=25, codec=CODECS.get(suffix, "mp4v"))
    assert videos.is_video(path.read_bytes()[: videos.HEAD_BYTES])
    frames = taken(path, every_s=0.08)
    assert [time_s for time_s, _ in frames[:4]] == [0.0, 0.08, 0.16, 0.24]
    assert [level for _, level in frames[:3]] == pytest.approx([0, 100, 200], abs=25)
    assert len(taken(path, every_s=0.01)) == len(levels)


def test_frames_of_variable_duration_come_when_the_container_says(tmp_path):
    path = tmp_path / "a.mp4"
    samples.write_video(path, levels=LEVELS, frames_per_s=10, codec="mp4v")
    content = path.read_bytes()
    one = struct.unpack_from(">I", content, content.index(b"stts") + 16)[0]  # Ticks of 0.1 s.
    set_durations(path, [one, 20 * one, one, 3 * one, one])
    assert [time_s for time_s, _ in taken(path, every_s=0.01)] == [0.0, 0.1, 2.1, 2.2, 2.5]
    # After the pause: one frame, not one for each second that had none.
    seconds = taken(path, every_s=1)
    assert [time_s for time_s, _ in seconds] == [0.0, 2.1]
    assert seconds[1][1] == pytest.approx(100, abs=10)


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.gif", "a.tif", "a.webp", "a.bmp", "a.avif"])
def test_an_image_is_no_video(name, tmp_path):
    PIL.Image.new("RGB", (64, 64)).save(tmp_path / name)
    assert not videos.is_video((tmp_path / name).read_bytes()[: videos.HEAD_BYTES])


@pytest.mark.parametrize("text", [b"#EXTM3U\n/etc/passwd\n", b"ffconcat version 1.0\n", b"", b"G"])
def test_a_list_of_other_files_is_no_video(text):
    assert not videos.is_video(text)


@pytest.mark.parametrize("num_bytes", [40, 600])
def test_a_video_that_is_cut_off_is_one_reason(num_bytes, tmp_path):
    path = samples.write_video(tmp_path / "a.mp4", levels=LEVELS, frames_per_s=10, codec="mp4v")
    path.write_bytes(path.read_bytes()[:num_bytes])
    assert videos.is_video(path.read_bytes())
    with pytest.raises(invalid_example.InvalidExample, match="no video in it"):
        taken(path, every_s=1)
