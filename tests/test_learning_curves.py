"""The learning curves of docs/accuracy.md are those of the histories beside them."""

import xml.etree.ElementTree as ET

from docs import learning_curves
from trainer.run import history


def test_the_picture_is_up_to_date():
    kept = (learning_curves.RUNS / learning_curves.FILE).read_text(encoding="utf-8")
    assert kept == learning_curves.drawn(learning_curves.RUNS), (
        "python -m docs.learning_curves draws it anew"
    )


def test_it_has_two_curves_and_a_name_for_each_run_and_says_how_they_end(tmp_path):
    for name, ends in (("a", 0.5), ("b & c", 0.25)):
        (tmp_path / name).mkdir()
        rows = [{"epoch": e, "accuracy": 0.3, "val_accuracy": ends} for e in range(1, 4)]
        history.write_csv(rows, path=tmp_path / name / "history.csv")
    (tmp_path / "of_another").mkdir()  # An evaluation alone, without a training.
    svg = ET.fromstring(learning_curves.drawn(tmp_path))
    assert svg.tag == "{http://www.w3.org/2000/svg}svg"
    assert svg.attrib["aria-label"].endswith("at the end: a 0.500; b & c 0.250")
    lines = [each for each in svg.iter() if each.tag.endswith("polyline")]
    dashed = [each for each in lines if each.attrib.get("stroke-dasharray")]
    solid = [each for each in lines if each.attrib.get("stroke-width") == "2.2"]
    assert len(dashed) == 2 and len(solid) == 4  # Two of these in the legend.
    heights = {each.attrib["points"].split()[-1].split(",")[1] for each in solid[:2]}
    assert len(heights) == 2  # 0.5 and 0.25 end at different heights.
    assert [e.text for e in svg.iter() if e.attrib.get("class") == "label"][-2:] == ["a", "b & c"]
