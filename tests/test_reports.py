"""Both reports of a release with malicious file names, opened in a browser."""

import subprocess
import sys

import pytest

from tests import browser, programs
from tests.pipeline import conftest

EVIL = ['1/"><img src=x onerror=alert(1)>.jpg', "1/<script>alert(2)</script>.jpg"]


def run(module, *flags):
    done = subprocess.run(
        [sys.executable, "-m", module, *flags], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """The data report and the model report of a release with malicious names in both splits."""
    root = tmp_path_factory.mktemp("evil")
    release = conftest.ReleaseWriter(root / "release")
    for label in range(8):
        for table, count in (("training", 4), ("validation", 2)):
            for _ in range(count):
                release.add(table, label)
    for number, path in enumerate(EVIL):
        file = release.images / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(conftest.cv2.imencode(".jpg", conftest.picture(900 + number))[1].tobytes())
        release.add("training", 1, path=path)
        release.add("validation", 2, path=path)
    release.add("training", "<b onmouseover=alert(3)>")
    release.write()
    run(
        "pipeline.main",
        f"--input_dir={root}/release",
        f"--data_dir={root}/data",
        *("--image_size=32", "--balance=none", "--config_name=evil"),
        *("--num_workers=1", "--max_reject_frac=0.1"),
    )
    trained = programs.run(
        "trainer.main",
        f"--data_dir={root}/data",
        f"--model_dir={root}/run",
        *("--num_gpus=0", "--epochs=1", "--conv_filters=4", "--dense_units=8", "--batch_size=8"),
    )
    assert trained.returncode == 0, trained.stderr
    assert f"{root}/run/report.html" in trained.stdout
    return root / "data/affectnet_faces/evil/1.0.0/report.html", root / "run/report.html"


@pytest.mark.slow
@pytest.mark.parametrize("which", [0, 1], ids=["data report", "evaluation report"])
@pytest.mark.parametrize("width", browser.WIDTHS)
def test_names_of_files_are_text_and_nothing_more(reports, chromium, which, width):
    browser.show(chromium, reports[which], width=width)
    for link in [
        "",
        *(f"#{one.get_attribute('id')}" for one in chromium.find_elements("css selector", ".cell")),
    ]:
        chromium.execute_script("location.hash = arguments[0]", link)
        assert browser.alarms(chromium) == []
    text = chromium.execute_script("return document.body.textContent")
    assert all(name in text for name in EVIL)
    assert browser.overflowing(chromium) == []
    assert browser.overlapping(chromium) == []
