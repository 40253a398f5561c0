"""The data set card: its front matter, and what it says of a build."""

import yaml

from pipeline.metadata import card, data_sets
from tests.pipeline.metadata import conftest


def front_matter(text: str) -> dict:
    _, header, _ = text.split("---\n", 2)
    return yaml.safe_load(header)


def test_the_front_matter_has_the_names_that_hugging_face_reads():
    found = front_matter(card.text(conftest.described(data_sets.RAFDB)))
    assert found["license"] == "other" and found["license_name"] == "raf-db-terms"
    assert found["license_link"] == "http://www.whdeng.cn/raf/model1.html"
    assert found["task_categories"] == ["image-classification"]
    assert found["size_categories"] == ["n<1K"]
    assert found["dataset_info"]["splits"] == [
        {"name": "train", "num_bytes": 1_000, "num_examples": 30},
        {"name": "validation", "num_bytes": 1_000, "num_examples": 4},
    ]
    names = found["dataset_info"]["features"][1]["dtype"]["class_label"]["names"]
    assert names["3"] == "surprise" and len(names) == 8


def test_the_card_counts_classes_and_tells_how_to_load_cite_and_share():
    text = card.text(conftest.described(data_sets.RAFDB, image_size=96))
    assert "# affectnet_faces/mine\n\nFace crops from RAF-DB with expression" in text
    assert "8 classes, manual annotations, train balanced to the median class, 96 px." in text
    assert "| surprise | 10 | 2 |\n" in text and "| all | 30 | 4 |\n" in text
    assert 'tfds.load("affectnet_faces/mine", split="train", data_dir=DATA_DIR)' in text
    assert "**Do not upload or pass on this folder" in text
    assert "```bibtex\n@inproceedings{li2017reliable," in text


def test_drawn_faces_may_be_passed_on_and_cite_nobody():
    text = card.text(conftest.described(data_sets.DRAWN))
    assert front_matter(text)["license"] == "apache-2.0"
    assert "This folder may be passed on" in text and "Do not upload" not in text
    assert "## Citation" not in text


def test_a_size_category_holds_the_number_of_examples():
    described = conftest.described(data_sets.AFFECTNET)
    large = [{**described.sidecars[0], "label_counts": {"0": 150_000}}]
    found = card.front_matter(described._replace(sidecars=large))
    assert found["size_categories"] == ["100K<n<1M"]
