"""The traps that the tests of pages set do catch something."""

import pytest

from tests import browser


@pytest.mark.slow
def test_a_page_that_runs_what_it_was_given_is_caught(chromium, tmp_path):
    page = tmp_path / "bad.html"
    page.write_text('<!doctype html><body><img src="x" onerror=alert(1)><script>alert(2)</script>')
    browser.show(chromium, page)
    found = browser.alarms(chromium)
    assert {"alert 1", "alert 2"} <= set(found) and len(found) > 2


@pytest.mark.slow
def test_what_overflows_and_overlaps_is_caught(chromium, tmp_path):
    page = tmp_path / "wide.html"
    page.write_text(
        '<!doctype html><meta name="viewport" content="width=device-width"><body>'
        '<p style="width: 900px">wide</p>'
        '<svg width="100" height="50"><text x="5" y="20">some</text><text x="9" y="20">word</text>'
        '<text x="90" y="40">beyond</text></svg>'
    )
    browser.show(chromium, page, width=390)
    assert any("wide" in name for name in browser.overflowing(chromium))
    assert browser.outside_their_drawing(chromium) == ["beyond"]
    assert browser.overlapping(chromium) == ["some | word"]


@pytest.mark.slow
def test_text_that_is_hard_to_read_is_caught(chromium, tmp_path):
    page = tmp_path / "faint.html"
    page.write_text(
        '<!doctype html><body style="background: #fff"><p style="color: #888">gray</p>'
        '<p style="color: #000">black<b style="background: rgba(0, 0, 0, 0.8)">on dark</b></p>'
        '<svg><text y="20" fill="#ddd">drawn</text></svg><p hidden style="color: #fff">hidden</p>'
    )
    browser.show(chromium, page)
    assert browser.faint(chromium) == ["gray 3.54", "on dark 1.66", "drawn 1.36"]
