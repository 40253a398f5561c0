"""HTML elements: escaping, attributes, images, and atomic writing of pages."""

import subprocess
import sys

from webpage import markup, page

EVIL = "\"><img src=x onerror=alert(1)>'&.jpg"


def test_text_is_escaped():
    assert (
        markup.element("p", EVIL)
        == "<p>&#34;&gt;&lt;img src=x onerror=alert(1)&gt;&#39;&amp;.jpg</p>"
    )


def test_attributes_are_escaped():
    assert markup.element("i", title='a" onclick="b') == '<i title="a&#34; onclick=&#34;b"></i>'


def test_elements_nest_without_being_escaped_again():
    inner = markup.element("b", "1 < 2")
    assert (
        markup.element("p", "so ", inner, [" and ", 3], None) == "<p>so <b>1 &lt; 2</b> and 3</p>"
    )


def test_names_of_attributes_lose_an_underscore_or_turn_it_into_a_hyphen():
    made = markup.element("td", class_="number", stroke_width=2, hidden=True, alt=None)
    assert made == '<td class="number" stroke-width="2" hidden></td>'


def test_an_element_that_cannot_have_content_is_not_closed():
    assert markup.element("br") == "<br>"


def test_an_image_carries_its_file():
    assert markup.image(b"abc", alt=EVIL).startswith(
        '<img src="data:image/jpeg;base64,YWJj" alt="&#34;&gt;&lt;img'
    )


def test_a_name_that_is_no_unicode_text_is_written_all_the_same(tmp_path):
    text = page.page("half a pair: \ud800", lead=None, sections=[])
    assert "half a pair: ?" in page.write(tmp_path / "report.html", text).read_text(
        encoding="utf-8"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_the_pages_import_no_other_package_of_ours_and_nothing_heavy():
    check = (
        "import sys, webpage.page, webpage.charts; sys.exit(bool({'pipeline', 'trainer', "
        "'affectnet_tfds', 'numpy', 'tensorflow', 'matplotlib'} & {*sys.modules}))"
    )
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
