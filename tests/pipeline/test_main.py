"""The program as its user meets it: what is built, what is said, what is refused."""

import csv
import errno
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import weakref
from pathlib import Path

import pytest
from absl import flags as absl_flags

from pipeline import build, console, main, verify
from pipeline import config as config_lib
from pipeline.beam import find_duplicates, runner
from pipeline.rows import bounded_groups, row_index
from pipeline.shards import plan, shard_writer
from pipeline.sources import line_ranges
from runtime import errors, flags, json_log
from runtime import program as program_lib
from tests.pipeline import conftest

VERSION = Path("affectnet_faces", "tiny", "1.0.0")


class Silent:
    """A listener that keeps what it is told."""

    def found(self, release, surveyed, config):
        self.surveyed = surveyed

    def planned(self, plans, config):
        self.plans = plans

    def writing(self, staging, plans):
        return console.contextlib.nullcontext()


def run(config):
    return build.build(config, listener=Silent())


def sums(folder: Path) -> dict[str, str]:
    return {
        p.name: hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.glob("*.tfrecord*"))
    }


def test_every_row_is_accounted_for(job_config):
    built = run(job_config(balance="5"))
    lines = {(line.split, line.name): line for line in built.account.lines}
    assert built.account.num_rows == 26 + 8
    assert all(line.closes for line in built.account.lines)
    assert lines["train", "neutral"][2:] == (12, 5, 7, 0, 0, 0, 5)
    assert lines["train", "anger"][2:] == (2, 2, 0, 0, 0, 0, 5)
    assert lines["train", "no-face"][2:] == (1, 0, 0, 1, 0, 0, 0)
    assert lines["validation", "happy"][2:] == (2, 2, 0, 0, 0, 0, 2)
    report = json.loads((built.version / "build_report.json").read_text())
    assert len(report["ledger"]["classes"]) == len(built.account.lines)


def test_the_bytes_do_not_depend_on_the_number_of_workers(job_config, tmp_path):
    one = run(job_config(num_shards=5))
    two = run(job_config(num_shards=5, num_workers=2, data_dir=str(tmp_path / "two")))
    assert len(sums(one.version)) == 5 + 3
    assert sums(one.version) == sums(two.version)


def test_the_bytes_do_not_depend_on_whether_classes_are_ranked_in_parts(
    job_config, tmp_path, monkeypatch
):
    whole = run(job_config(balance="7", num_shards=3))
    monkeypatch.setattr(plan, "MAX_ROWS_RANKED_TOGETHER", 2)
    in_parts = run(job_config(balance="7", num_shards=3, data_dir=str(tmp_path / "parts")))
    assert sums(whole.version) == sums(in_parts.version)


@pytest.mark.parametrize(("drop_duplicates", "dropped"), [(False, 0), (True, 41)])
def test_the_bytes_do_not_depend_on_what_a_key_may_get_nor_on_the_number_of_keys(
    release, job_config, tmp_path, monkeypatch, drop_duplicates, dropped
):
    same = release.add("training", 0)
    for number in range(40):
        release.add("training", number % 3)
        copy = release.images / "9" / f"{number}.jpg"  # 41 files have one content.
        copy.parent.mkdir(exist_ok=True)
        copy.hardlink_to(release.images / same)
        release.add("training", 0, path=f"9/{number}.jpg")
        # 41 rows are about one image: 20 are repeated, and one says something else of a face.
        release.add("training", 1, path=same, box=(30, 20, 50, 40 + number % 20))
    job = {"input_dir": str(release.write()), "balance": "none", "num_shards": 1}
    job |= {"drop_duplicates": drop_duplicates, "max_reject_frac": 0.5}
    whole = run(job_config(**job))
    assert sum(entry["rows"] for entry in whole.report["dropped"]) == dropped
    assert whole.report["ledger"]["rejected"] == {"repeated row": 20}
    largest = 700  # 41 entries take 24 or 40 bytes each.
    monkeypatch.setattr(bounded_groups, "MAX_KEY_BYTES", largest)
    monkeypatch.setattr(plan, "MAX_ROWS_RANKED_TOGETHER", 10)
    monkeypatch.setattr(row_index, "BUCKET_ROWS", 16)
    monkeypatch.setattr(find_duplicates, "BATCH_ROWS", 2)
    monkeypatch.setattr(find_duplicates, "GATHERED_ROWS", 16)
    monkeypatch.setitem(line_ranges.byte_ranges.__kwdefaults__, "chunk_bytes", 20_000)
    json_log.open_file(str(tmp_path / "log"))
    bounded = run(job_config(**job, data_dir=str(tmp_path / "bounded")))
    json_log.close()
    shuffled = [line["steps"] for line in map(json.loads, (tmp_path / "log").open())]
    found = {name: step for steps in shuffled for name, step in steps.items()}
    assert {"RejectRepeatedRows", "DealToShards", "WriteShard"} <= found.keys()
    assert ("DealByHash" in found) == ("DropDuplicates" in found) == drop_duplicates
    assert largest / 2 < max(step["largest_key_bytes"] for step in found.values()) <= largest
    # 121 entries without the 20 and the duplicates, of 24 bytes, each value with 5 more.
    ranked = found["DealToShards"]
    assert 0 < ranked["bytes"] - (101 - dropped) * 24 <= (101 - dropped) * 5
    assert sums(whole.version) == sums(bounded.version)
    reports = [(built.version / "build_report.json").read_text() for built in (whole, bounded)]
    assert reports[0] == reports[1]


def test_bad_pictures_are_rejected_with_file_row_and_reason(release, tmp_path, job_config):
    for _ in range(6):
        release.add("training", 0)
    release.add("training", 1)
    broken = release.add("training", 1)
    (release.images / broken).write_bytes(b"<html>")
    release.add("training", 0, path="1/none.jpg")
    release.add("training", 12)
    release.write()
    built = run(job_config(input_dir=str(release.root), balance="none", max_reject_frac=0.3))
    rows = list(csv.DictReader((built.version / "rejects.csv").open()))
    assert [(r["row"], r["reason"], Path(r["file"]).name) for r in rows] == [
        ("training.csv row 8", "not a picture", Path(broken).name),
        ("training.csv row 9", "no such file", "none.jpg"),
        ("training.csv row 10", "bad label", "0" * 55 + "a.jpg"),
    ]
    assert built.account.num_rows == 10 and built.account.num_examples == 7


def test_too_many_rejects_stop_the_build_before_anything_is_published(release, job_config):
    release.add("training", 0)
    release.add("training", "eleven")
    release.add("training", 12)
    config = job_config(input_dir=str(release.write()))
    with pytest.raises(errors.UserError) as caught:
        run(config)
    assert str(caught.value) == (
        "2 of 3 rows are rejected, more than --max_reject_frac=0.01 allows: bad label 2 "
        "(such as training.csv row 2: label must be 0..10: got 'eleven'); repair them, or raise "
        "--max_reject_frac"
    )
    assert not Path(config.data_dir, VERSION).exists()


def test_an_extension_in_another_case_is_found(release, job_config):
    path = release.add("training", 0)
    (release.images / path).rename((release.images / path).with_suffix(".JPG"))
    release.add("training", 1)
    assert run(job_config(input_dir=str(release.write()))).account.num_examples == 2


def test_the_same_command_again_does_nothing_and_another_is_refused(job_config):
    first = run(job_config())
    assert run(job_config()).was_there
    with pytest.raises(errors.UserError) as caught:
        run(job_config(image_size=48))
    assert str(caught.value) == (
        f"{first.version} was built with image_size=32 (now 48); give this build a name of its own "
        "(--config_name) or replace that one (--overwrite)"
    )
    again = run(job_config(image_size=48, overwrite=True))
    assert json.loads((again.version / "features.json").read_text()) and not again.was_there


def test_other_annotations_are_noticed(job_config, small_release):
    run(job_config())
    table = small_release / "Manually_Annotated_file_lists" / "validation.csv"
    table.write_text(table.read_text().replace("0.5", "0.25", 1))
    with pytest.raises(errors.UserError, match="was built with other annotation files"):
        run(job_config())


def test_finished_shards_are_kept_by_the_next_attempt(job_config, monkeypatch):
    config = job_config(num_shards=4)
    write, made = shard_writer.write, []

    def write_some(spec, name, tasks):
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append(name)
        return write(spec, name, tasks)

    monkeypatch.setattr(shard_writer, "write", write_some)
    with pytest.raises((KeyboardInterrupt, RuntimeError)):
        run(config)
    assert not Path(config.data_dir, VERSION).exists()
    staging = Path(config.data_dir, VERSION).with_name(".building-1.0.0")
    kept = {
        p.name: p.stat().st_mtime_ns
        for p in staging.glob("*.tfrecord*")
        if p.suffix not in (".json", ".progress")
    }
    assert sorted(kept) == sorted(made)
    monkeypatch.setattr(shard_writer, "write", write)
    built = run(config)
    assert {n: (built.version / n).stat().st_mtime_ns for n in made} == kept
    assert not [
        p for p in built.version.iterdir() if "incomplete" in p.name or p.suffix == ".progress"
    ]


def test_identical_files_are_reported(release, job_config):
    one, two = release.add("training", 0), release.add("validation", 0)
    (release.images / two).write_bytes((release.images / one).read_bytes())
    report = run(job_config(input_dir=str(release.write()))).report
    prefix = "Manually_Annotated_Images/"
    assert report["identical_files"]["across_splits"] == [
        [f"train: {prefix}{one}", f"validation: {prefix}{two}"]
    ]


def test_duplicates_are_dropped_from_train_when_asked(release, job_config):
    for label in (0, 0, 1):
        one = release.add("training", label)
    for label in (0, 1):
        two = release.add("validation", label)
    (release.images / two).write_bytes((release.images / one).read_bytes())
    release.add("training", 1)
    built = run(job_config(input_dir=str(release.write()), drop_duplicates=True, balance="none"))
    lines = {(line.split, line.name): line for line in built.account.lines}
    assert (
        lines["train", "happy"].read,
        lines["train", "happy"].dropped,
        lines["train", "happy"].written,
    ) == (2, 1, 1)
    assert lines["validation", "happy"].written == 1
    assert built.report["identical_files"]["across_splits"] == []
    (dropped,) = built.report["dropped_as_identical_to"].items()
    assert dropped == ("training.csv row 3", f"Manually_Annotated/Manually_Annotated_Images/{two}")


def test_rejects_are_retried_without_a_full_rebuild(release, job_config):
    for _ in range(8):
        release.add("training", 0)
    broken = release.add("training", 0)
    good = (release.images / broken).read_bytes()
    (release.images / broken).write_bytes(good[:100])
    fields = {
        "input_dir": str(release.write()),
        "balance": "none",
        "num_shards": 3,
        "max_reject_frac": 0.2,
    }
    first = run(job_config(**fields))
    before = {path.name: path.stat().st_mtime_ns for path in first.version.glob("*.tfrecord*")}
    assert first.account.num_examples == 8
    (release.images / broken).write_bytes(good)
    assert run(job_config(**fields)).was_there  # Without the flag, nothing is looked at again.
    second = run(job_config(**fields, retry_rejects=True))
    after = {path.name: path.stat().st_mtime_ns for path in second.version.glob("*.tfrecord*")}
    assert second.account.num_examples == 9 and not second.account.rejects
    assert sum(before[name] == after[name] for name in before) == 2
    assert verify.verify(second.version) == []
    assert len(list(second.version.glob("*.index"))) == len(after)
    with pytest.raises(errors.UserError, match="--retry_rejects repairs a published build"):
        run(job_config(**fields, config_name="other", retry_rejects=True))


def test_a_drawn_sample_is_never_called_affectnet(job_config, small_release):
    (small_release / "drawn_sample.json").write_text('{"seed": 1}')
    with pytest.raises(errors.UserError, match="a build of the drawn sample is called sample"):
        run(job_config(config_name="affectnet8", image_size=224))
    assert run(job_config(config_name="")).config.config_name == "sample"


def command(*flags: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "pipeline.main", *flags], capture_output=True, text=True, check=False
    )  # fmt: skip


@pytest.mark.slow
def test_the_program_prints_the_account_and_the_line_that_loads(small_release, tmp_path):
    done = command(
        f"--input_dir={small_release}",
        f"--data_dir={tmp_path}/d",
        "--image_size=32",
        "--config_name=tiny",
        "--num_workers=1",
    )
    assert done.returncode == 0, done.stderr
    assert "training.csv: 26 rows (AffectNet has 414,800: this is a part of it)" in done.stdout
    assert (
        "tfds.load('affectnet_faces/tiny', split='train', as_supervised=True, "
        f"data_dir='{tmp_path}/d')" in done.stdout
    )


@pytest.fixture
def program(capsys):
    """Run the program in this process; return exit code, output and errors."""

    def run_program(*given: str) -> tuple[int, str, str]:
        values = absl_flags.FlagValues()
        flags.define(config_lib.SECTIONS, values=values)
        command = ["pipeline.main", *given]
        rest = flags.parse(command, sections=config_lib.SECTIONS, passes_on=True, values=values)
        given_values = flags.given(config_lib.SECTIONS, values=values)
        try:
            code = program_lib.or_exit(lambda: main.main(given_values, beam_args=rest[1:]))
        except SystemExit as end:
            code = end.code
        captured = capsys.readouterr()
        return code, captured.out, captured.err.strip()

    return run_program


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            ["--input_dir=/no/such/folder"],
            "--input_dir must be a folder: /no/such/folder does not exist",
        ),
        (
            ["--input_dir=x", "--image_sise=3"],
            "unknown flag --image_sise (neither ours nor Beam's); did you mean --image_size?",
        ),
        (
            ["--input_dir=x", "--balance=often"],
            "--balance must be none, median, min, max or a number of images per class: got often",
        ),
    ],
)
def test_a_wrong_flag_gets_one_sentence_and_exit_code_2(program, given, sentence):
    assert program(*given) == (2, "", f"error: {sentence}")


def test_flags_of_beam_are_known_and_others_are_not():
    assert runner.unknown_beam_args(["--job_name=mine", "--experiments=a"]) == []
    assert runner.unknown_beam_args(["--jobname=mine"]) == ["jobname"]


@pytest.mark.parametrize(
    "name, sentence",
    [
        ("FlinkRuner", "is no runner of Beam; did you mean FlinkRunner?"),
        ("nonsense.Runner", "cannot be used: No module named 'nonsense'"),
    ],
)
def test_a_runner_that_beam_does_not_have_is_refused_before_any_work(name, sentence):
    with pytest.raises(errors.UserError) as no:
        main.check_beam_args([f"--runner={name}"])
    assert str(no.value) == f"--runner={name} {sentence}"


def test_an_unknown_folder_is_told_what_was_looked_for_and_found(program, tmp_path):
    (tmp_path / "a.jpg").write_bytes(conftest.picture(1).tobytes())
    code, _, error = program(f"--input_dir={tmp_path}")
    assert code == 2
    assert (
        "is no AffectNet release in a known layout" in error and "found: 1 jpg in 1 folder" in error
    )


def test_a_dry_run_prints_the_plan_and_leaves_nothing(program, small_release, tmp_path):
    code, out, _ = program(f"--input_dir={small_release}", f"--data_dir={tmp_path}/d", "--dry_run")
    assert code == 0 and "anger" in out and "nothing was written" in out
    assert [p for p in (tmp_path / "d").rglob("*") if p.is_file()] == []


def test_a_disk_that_is_full_for_a_worker_is_one_sentence(job_config, monkeypatch, capfd):
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    config = job_config()
    write = shard_writer.write

    def write_to_full_disk(spec, name, tasks):
        monkeypatch.setattr(os, "fsync", full)
        return write(spec, name, tasks)

    monkeypatch.setattr(shard_writer, "write", write_to_full_disk)
    with pytest.raises(SystemExit) as end:
        program_lib.or_exit(lambda: run(config))
    printed = capfd.readouterr().err
    assert end.value.code == 2 and printed.count("\n") == 1
    assert re.match(r"error: cannot use \S+/affectnet_faces-\S+: no space left on the dev", printed)


def test_a_signal_that_comes_while_a_weak_reference_goes_is_raised_a_moment_later():
    """Python prints and forgets what is raised there: the build would go on to its end."""

    def _remove(_: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    class Object:
        pass

    with main.Interrupts() as interrupts:
        referred = Object()
        reference = weakref.ref(referred, _remove)
        with pytest.raises(KeyboardInterrupt):
            del referred
            time.sleep(10)
    assert interrupts.number == signal.SIGTERM
    assert reference() is None
