"""Data report: content of its sections, escaping, determinism, and the page in a browser."""

import re

import numpy as np
import pytest
import simplejpeg

from affectnet_tfds import example_codec
from pipeline import build, console, verify
from pipeline import report as program
from pipeline.data_report import build_files, class_counts, crop_samples, page
from runtime import errors
from tests import browser
from tests.pipeline import conftest
from tests.pipeline.test_main import Silent

EVIL = ['1/"><img src=x onerror=alert(1)>.jpg', "1/<script>alert(2)<!--.jpg"]
BAD_LABEL = "<b onmouseover=alert(3)>"


@pytest.fixture
def evil_build(release, job_config):
    """A build of a release whose files are called as an attacker would call them."""
    for label in range(8):
        for _ in range(3):
            release.add("training", label)
        release.add("validation", label)
    for path in EVIL:
        file = release.images / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(
            conftest.cv2.imencode(".jpg", conftest.picture(99 + len(path)))[1].tobytes()
        )
        release.add("training", 1, path=path)
        release.add("validation", 2, path=path)
    release.add("training", BAD_LABEL)
    release.add("training", 0, path="gone/<i>.jpg")
    config = job_config(
        input_dir=str(release.write()), image_size=64, balance="5", max_reject_frac=0.5
    )
    return build.build(config, listener=Silent())


def files_of(built):
    return build_files.load(built.version)


def text_of(built):
    return (built.version / page.FILE).read_text(encoding="utf-8")


def test_the_page_accounts_for_every_row(job_config):
    built = build.build(job_config(balance="5"), listener=Silent())
    text = text_of(built)
    assert re.search(r"rows read</span><strong>34<", text)
    assert "12 rows" in text and "5 examples" in text
    (row,) = re.findall(r"<tr><td>neutral</td>.*?</tr>", text)[:1]
    # Read, written, left out, other class, examples.
    assert re.findall(r">([\d,]+)<", row) == ["12", "5", "7", "0", "5"]
    assert (
        "No row was rejected" in text and "No two images of the data set are the same file" in text
    )


def test_the_same_build_gives_the_same_bytes_wherever_it_is(job_config, tmp_path):
    first = build.build(job_config(num_shards=3), listener=Silent())
    second = build.build(
        job_config(num_shards=3, data_dir=str(tmp_path / "two")), listener=Silent()
    )
    assert text_of(first) == text_of(second)
    assert str(tmp_path) not in text_of(first)


def test_the_command_writes_the_page_that_the_job_wrote(job_config, capsys):
    built = build.build(job_config(), listener=Silent())
    before = text_of(built)
    (built.version / page.FILE).unlink()
    assert program.run(built.config.data_dir) == 0
    assert capsys.readouterr().out == f"report        {built.version / page.FILE}\n"
    assert text_of(built) == before
    assert verify.verify(built.version) == []


def test_a_folder_without_a_build_is_one_sentence(tmp_path):
    (tmp_path / "build_report.json").write_text("{}")
    with pytest.raises(errors.UserError) as no:
        program.run(str(tmp_path))
    assert str(no.value) == (
        f"{tmp_path} holds no version built by this job: it has no job_config.json"
    )


def test_without_the_original_images_that_were_named_no_page_is_replaced(job_config, tmp_path):
    version = build.build(job_config(), listener=Silent()).version
    before = (version / "report.html").read_bytes()
    with pytest.raises(errors.UserError, match="--input_dir=.*/none does not exist, and without"):
        program.run(str(version), input_dir=str(tmp_path / "none"))
    assert (version / "report.html").read_bytes() == before


def test_rejects_and_leaks_are_shown_with_examples(evil_build):
    text = text_of(evil_build)
    assert "<h3>bad label: 1</h3>" in text and "<h3>no such file: 1</h3>" in text
    assert "label must be 0..10: got &#39;&lt;b onmouseover=alert(3)&gt;&#39;" in text
    assert "<h3>In train and in another split: 2</h3>" in text


def test_no_name_of_a_file_becomes_markup(evil_build):
    text = text_of(evil_build)
    assert (
        "&lt;script&gt;alert(2)&lt;!--.jpg" in text
        and "&#34;&gt;&lt;img src=x onerror=alert(1)&gt;.jpg" in text
    )
    assert "<script" not in text and "<img src=x" not in text and "<b onmouseover" not in text


def test_specimens_are_shown_beside_their_originals_or_alone(job_config, small_release):
    built = build.build(job_config(image_size=64), listener=Silent())
    with_originals = page.render(files_of(built)).count("<image ")
    small_release.rename(small_release.with_name("moved"))
    text = page.render(files_of(built))
    assert "The originals are no longer where the build found them" in text
    assert text.count("<image ") * 2 == with_originals > 0
    assert page.render(
        build_files.load(built.version, root=str(small_release.with_name("moved")))
    ) == text_of(built)


def test_an_original_that_cannot_be_read_any_more_is_reported(job_config, small_release):
    built = build.build(job_config(), listener=Silent())
    for path in small_release.rglob("*.jpg"):
        path.write_bytes(b"<html>")
    assert "The original can no longer be read: not a picture." in page.render(files_of(built))


@pytest.mark.parametrize("align", [False, True])
def test_landmarks_of_a_specimen_lie_where_the_annotation_has_them(release, job_config, align):
    points = face_points()
    for label in (0, 1):
        release.add("training", label, landmarks=";".join(f"{x:.2f};{y:.2f}" for x, y in points))
    config = job_config(input_dir=str(release.write()), align=align)
    built = files_of(build.build(config, listener=Silent()))
    specimen = next(crop_samples._chosen(built, 1))
    np.testing.assert_allclose(
        specimen.in_image(specimen.example.landmarks.astype(np.float64)), points, atol=0.02
    )


def face_points():
    """Return 68 landmarks of a slightly tilted face in an image of 120 x 90."""
    points = np.full((68, 2), (55.0, 40.0))
    points[36:42] = (45, 32)
    points[42:48] = (65, 34)
    points[30] = (55, 42)
    points[48] = (46, 52)
    points[54] = (62, 54)
    return points


def warnings_of(built):
    return re.findall(r'<p class="warning">(.*?)</p>', page.render(files_of(built)))


def test_classes_that_a_split_lacks_are_a_warning(release, job_config):
    for label in (0, 1, 2):
        release.add("training", label)
    for label in (0, 3):
        release.add("validation", label)
    built = build.build(job_config(input_dir=str(release.write())), listener=Silent())
    assert warnings_of(built) == [
        "No split has an image of fear, disgust, anger and contempt: a network gets outputs that "
        "it can never learn.",
        "train has no image of surprise: a network cannot learn to predict what it is never shown.",
        "validation has no image of happy and sad: nothing can be measured there, and averages "
        "over the classes are over the others.",
    ]


def test_the_flags_of_a_build_with_attributes_have_their_names(job_config):
    built = build.build(
        job_config(balance="5", config_name="tiny_groups", groups="brightness,face_px"),
        listener=Silent(),
    )
    assert "--groups=brightness,face_px<" in text_of(built)


def test_a_data_set_without_contempt_is_told_which_flag_leaves_it_out(release, job_config):
    for label in range(7):
        release.add("training", label)
        release.add("validation", label)
    folder = str(release.write())
    built = build.build(job_config(input_dir=folder), listener=Silent())
    assert warnings_of(built) == [
        "No split has an image of contempt: a network gets outputs that it can never learn; "
        "--classes=7 leaves it out."
    ]
    seven = job_config(input_dir=folder, classes=7, config_name="seven")
    assert warnings_of(build.build(seven, listener=Silent())) == []


@pytest.fixture
def balanced(release, job_config):
    """Return a function that balances 3 images of anger and 30 of neutral to a number."""
    for label, count in ((0, 30), (6, 3)):
        for _ in range(count):
            release.add("training", label)
        release.add("validation", label)
    folder = str(release.write())
    return lambda balance: build.build(
        job_config(input_dir=folder, balance=balance), listener=Silent()
    )


def test_few_images_that_are_written_often_are_a_warning(balanced):
    assert warnings_of(balanced("200"))[1:] == [
        "train has few images very often, 3 images of anger 66 to 67 times each: a network learns "
        "these by heart rather than the class (--max_copies limits the repeats, a smaller "
        "--balance needs fewer)."
    ]


def test_images_of_several_classes_that_are_written_often_are_one_warning(release, job_config):
    for label, count in ((0, 1), (1, 2), (2, 16)):
        for _ in range(count):
            release.add("training", label)
        release.add("validation", label)
    built = build.build(job_config(input_dir=str(release.write()), balance="16"), listener=Silent())
    assert (
        "train has few images very often, 1 image of neutral 16 times and 2 images of happy 8 "
        "times each: a network learns these by heart"
    ) in warnings_of(built)[1]


@pytest.mark.parametrize(("balance", "warned"), [("23", 0), ("24", 1)])
def test_images_written_less_than_eight_times_are_no_warning(balanced, balance, warned):
    assert len(warnings_of(balanced(balance))[1:]) == warned


def test_the_page_says_what_balancing_left_out_and_repeated(balanced):
    text = page.render(files_of(balanced("10")))
    assert "20 of 33 usable images of train (61%) are left out, 20 of them of neutral." in text
    assert "7 of 20 examples of train (35%) repeat an image that is there already." in text
    section = text[text.index("times each") :]
    rows = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in re.findall("<tr>.*?</tr>", section)]
    assert rows[:2] == [
        ["neutral", "30", "20", "67%", "1", "10"],
        ["anger", "3", "0", "0%", "3 to 4", "10"],
    ]


def test_without_balancing_nothing_is_hidden(balanced):
    text = page.render(files_of(balanced("none")))
    assert "Nothing: every usable image is written once." in text and "times each" not in text


@pytest.mark.parametrize(
    ("neutral", "is_log", "length"),
    [(50, False, 0.02), (51, True, 0.1499)],  # log 2 / log 102
)
def test_bars_that_would_vanish_are_drawn_on_a_logarithmic_scale(
    job_config, neutral, is_log, length
):
    built = files_of(build.build(job_config(), listener=Silent()))
    lines = [
        {"name": "neutral", "label": 0, "read": neutral, "examples": neutral},
        {"name": "happy", "label": 1, "read": 1, "examples": 1},
    ]
    drawn = class_counts._split_bars(built, "train", lines)
    assert ("train (lengths on a logarithmic scale)" in drawn) == is_log
    found = [float(each) for each in re.findall(r"px\)\) \* ([\d.]+)\)", drawn)]
    assert found == pytest.approx([1, 1, length, length], abs=1e-4)


def test_a_specimen_is_the_record_of_its_shard(job_config):
    built = build.build(job_config(), listener=Silent())
    specimen = next(crop_samples._chosen(files_of(built), 6))
    assert specimen.example.label == 6 and specimen.example.copy == 0
    assert specimen.split == "train"
    assert simplejpeg.decode_jpeg(specimen.example.image).shape == (32, 32, 3)
    assert isinstance(specimen.example, example_codec.Example)


def test_a_build_without_observations_is_still_reported(job_config):
    built = files_of(build.build(job_config(), listener=Silent()))
    old = built._replace(
        sidecars=[{k: v for k, v in s.items() if k != "observed"} for s in built.sidecars]
    )
    assert page.render(old).count("made by a version of the job that") == 3


def test_many_shards_are_thinned_out_evenly():
    assert class_counts.evenly(range(10), most=4) == [0, 2, 5, 7]
    assert class_counts.evenly(range(3), most=4) == [0, 1, 2]


def test_the_program_names_the_page(job_config, capsys):
    built = build.build(job_config(), listener=console.Console())
    console.Console().finished(built)
    assert f"report        {built.version}/report.html" in capsys.readouterr().out


def shown_in(chromium) -> str:
    """Return the text that is shown; Selenium itself leaves out all details that are not open."""
    return chromium.execute_script("return document.querySelector('main').innerText")


@pytest.mark.slow
def test_a_link_to_a_folded_section_opens_it(evil_build, chromium):
    browser.show(chromium, evil_build.version / page.FILE, width=390, anchor="#leaks")
    shown = shown_in(chromium)
    assert "In train and in another split" in shown and "fair sample" not in shown


@pytest.mark.slow
@pytest.mark.parametrize("width", browser.WIDTHS)
def test_in_a_browser_nothing_runs_overflows_or_overlaps(evil_build, chromium, width):
    browser.show(chromium, evil_build.version / page.FILE, width=width)
    assert browser.alarms(chromium) == []
    is_phone = width == 390
    assert ("rows in the annotations" in shown_in(chromium)) != is_phone
    for heading in chromium.find_elements("css selector", "summary:has(h2)") * is_phone:
        heading.click()
    visible = shown_in(chromium)
    assert all(path.split("/")[1] in visible for path in EVIL) and BAD_LABEL in visible
    assert browser.overflowing(chromium) == []
    assert browser.broken_words(chromium) == []
    assert browser.outside_their_drawing(chromium) == []
    assert browser.overlapping(chromium) == []
    assert chromium.execute_script("return document.querySelectorAll('svg image').length") > 16
