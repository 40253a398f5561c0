"""What is known of the data sets that builds are made of."""

import json

import pytest

from pipeline import publish
from pipeline.metadata import data_sets, tfds_info
from pipeline.sources.layouts import registry
from tests.pipeline.metadata import conftest

WORDS = {
    "fer2013": "goodfellow2013challenges",
    "ferplus": "barsoum2016training",
    "rafdb": "li2017reliable",
    "ckplus": "lucey2010extended",
    "kdef": "lundqvist1998karolinska",
    "jaffe": "lyons1998coding",
    "afew": "dhall2012collecting",
    "caer": "lee2019context",
}
"""Other data set → its paper."""


def test_every_other_data_set_has_facts_of_its_own():
    assert WORDS.keys() == set(registry.OTHERS)
    for layout, paper in WORDS.items():
        found = data_sets.of(layout, drawn=False)
        assert found.citation.splitlines()[0].endswith(f"{{{paper},")
        assert found.homepage.startswith("http") and found.published.isdigit()
        assert found.description.startswith(f"Face crops from {found.name} with expression")
        assert found.license.startswith(("The labels", found.name))


@pytest.mark.parametrize("layout", ["2017", "npy", "folders", "yolo", "affectnetplus"])
def test_layouts_of_affectnet_cite_affectnet(layout):
    assert "mollahosseini2019affectnet" in data_sets.of(layout, drawn=False).citation


def test_lists_of_images_are_not_called_affectnet():
    found = data_sets.of("csv", drawn=False)
    assert not found.citation and not found.homepage and "from AffectNet" not in found.description


def test_drawn_faces_are_drawn_whatever_their_layout():
    assert data_sets.of("rafdb", drawn=True) is data_sets.DRAWN


@pytest.mark.parametrize("about", [data_sets.KDEF, data_sets.LISTS])
def test_tfds_reads_description_homepage_citation_and_licence(tmp_path, about):
    import tensorflow_datasets as tfds  # Slow; only this test needs it.

    version = tmp_path / "affectnet_faces" / "mine" / "1.0.0"
    version.mkdir(parents=True)
    tfds_info.write(version, conftest.described(about, balance="7", encoding="png"))
    info = tfds.builder_from_directory(version).info
    assert (info.description, info.citation) == (about.description, about.citation)
    assert info.homepage == about.homepage or not about.homepage
    assert info.redistribution_info.license == (version / "LICENSE").read_text() == about.license
    assert info.config_description == (
        "8 classes, manual annotations, train balanced to 7 images a class, stored as png"
    )
    assert info.splits["train"].num_examples == 30
    assert sorted(path.name for path in version.glob("*tfrecord*")) == []  # Stand-ins are gone.


def test_what_a_build_is_published_with_follows_from_its_layout(job_config, tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(tfds_info, "write", lambda folder, described: written.append(described))
    job = job_config(config_name="mine")
    publish.write_metadata(job, layout="kdef", sidecars=[], folder=tmp_path)
    publish.write_metadata(
        job_config(config_name="sample"), layout="kdef", sidecars=[], folder=tmp_path
    )
    assert [each.about for each in written] == [data_sets.KDEF, data_sets.DRAWN]
    assert json.loads((tmp_path / "croissant.json").read_text())["license"] == (
        data_sets.DRAWN.license
    )
