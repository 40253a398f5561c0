"""--exclude and --relabel in a build, from the list to the records."""

import dataclasses

import pytest

from affectnet_tfds import example_codec, tfrecord
from runtime import errors
from tests.pipeline import test_main


def labels(version) -> dict[str, int]:
    """The label of each record of train."""
    contents = [path.read_bytes() for path in version.glob("*-train.tfrecord*")]
    examples = [example_codec.parse(each) for all in contents for each in tfrecord.records(all)]
    return {each.filename: each.label for each in examples}


def test_lists_leave_rows_out_and_give_others_new_labels(release, job_config, tmp_path):
    for label in (1, 1, 2, 2):
        release.add("training", label)
        release.add("validation", label)
    wanted = job_config(input_dir=str(release.write()), balance="none")
    before = labels(test_main.run(wanted).version)
    happy, sad = sorted(before, key=lambda name: (before[name], name))[1:3]
    assert (before[happy], before[sad]) == (1, 2)

    exclude, relabel = tmp_path / "suspects.csv", tmp_path / "labels.csv"
    exclude.write_text(f"split,filename\ntrain,{happy}\n")
    relabel.write_text(f"filename,given,suggested\n{sad},sad,anger\nabsent.jpg,sad,happy\n")
    wanted = job_config(
        input_dir=wanted.input_dir,
        balance="none",
        config_name="tiny_lists",
        exclude=str(exclude),
        relabel=str(relabel),
    )
    built = test_main.run(wanted)
    assert labels(built.version) == {
        name: 6 if name == sad else label for name, label in before.items() if name != happy
    }
    assert all(line.closes for line in built.account.lines)
    lines = {(line.split, line.name): line for line in built.account.lines}
    assert (lines["train", "happy"].dropped, lines["train", "happy"].written) == (1, 1)
    assert (lines["train", "sad"].written, lines["train", "anger"].written) == (1, 1)
    assert built.report["listed"] == {
        "excluded by a list": 1,
        "relabelled by a list": 1,
        "lines of --relabel that name no row": 1,
    }

    moved = tmp_path / "moved.csv"  # The same list elsewhere is the same build; another is not.
    moved.write_text(exclude.read_text())
    assert test_main.run(dataclasses.replace(wanted, exclude=str(moved))).was_there
    moved.write_text("filename\nx.jpg\n")
    with pytest.raises(errors.UserError, match=r"was built with exclude=[0-9a-f]{64} \(now "):
        test_main.run(dataclasses.replace(wanted, exclude=str(moved)))


def test_a_list_without_a_row_of_the_release_ends_the_build(release, job_config, tmp_path):
    release.add("training", 1)
    (tmp_path / "x.csv").write_text("filename\nx.jpg\n")
    wanted = job_config(input_dir=str(release.write()), exclude=str(tmp_path / "x.csv"))
    with pytest.raises(errors.UserError, match=r"the first x\.jpg, none is there"):
        test_main.run(wanted)
