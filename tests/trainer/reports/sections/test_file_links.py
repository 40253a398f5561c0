"""File links: relative, quoted, and only to files that are there."""

import re

from trainer.reports.sections import file_links


def test_files_of_the_data_are_linked_by_a_relative_path_where_they_are_there(tmp_path):
    version = tmp_path / "my data/affectnet_faces/sample/1.0.0"
    version.mkdir(parents=True)
    (version / "report.html").write_text("")
    (version / "rejects.csv").write_text("")
    folder = tmp_path / "runs/first"
    folder.mkdir(parents=True)
    links = file_links.of_data(version, folder=folder)
    assert [each.href for each in links] == [
        "../../my%20data/affectnet_faces/sample/1.0.0/report.html",
        "../../my%20data/affectnet_faces/sample/1.0.0/rejects.csv",
    ]
    assert links[1].name == "sample/1.0.0/rejects.csv"
    for link in links:
        assert (folder / link.href.replace("%20", " ")).is_file()


def test_no_folder_is_named_that_a_browser_would_take_for_a_script(tmp_path):
    version = tmp_path / "javascript:alert(1)/x/1"
    version.mkdir(parents=True)
    (version / "report.html").write_text("")
    (link,) = file_links.of_data(version, folder=tmp_path)
    assert link.href == "javascript%3Aalert%281%29/x/1/report.html"


def test_files_of_the_run_are_linked_where_the_page_is_beside_them(tmp_path):
    assert file_links.of_run(tmp_path) == []
    (tmp_path / "history.csv").write_text("")
    assert [each.href for each in file_links.of_run(tmp_path)] == ["history.csv"]


def test_the_list_has_name_and_content():
    drawn = file_links.listed(file_links.of_report([("metrics.json", "all <numbers>")]))
    assert re.findall(r"<li>(.*)</li>", drawn) == [
        '<a href="metrics.json"><code class="name">metrics.json</code></a> all &lt;numbers&gt;'
    ]
    assert file_links.listed([]) is None
