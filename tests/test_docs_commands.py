"""Every command of the documentation: flags are declared; it runs, or says why not."""

import pathlib
import re
import shlex
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pytest

from docs import flag_reference
from pipeline.beam import runner
from runtime import command as command_lib
from runtime import errors, fields
from tests import documents, test_docs_session

COMMANDS = list(documents.commands())
MAKEFILE = (documents.ROOT / "Makefile").read_text(encoding="utf-8")
PLACEHOLDER = re.compile(r"…|\.\.\.|<\w+>|[A-Z]{2,}")
"""Stands for a value of the reader's: it has no type."""


class NotRun(NamedTuple):
    """Commands that no test of the documentation runs, by their text; and why."""

    pattern: str
    reason: str
    tests: str = ""
    """The file whose tests run such commands otherwise."""


NOT_RUN = [
    NotRun(r"make (test|lint|test-quick|help)\b.*", "they run the tests themselves, or list"),
    NotRun(r"(python -m|\.venv/bin/python -m) pytest .*", "tests of this suite"),
    NotRun(r"\.venv/bin/pre-commit .*", "changes the checkout", "tests/test_readme.py"),
    NotRun(r"make demo.*", "its commands are run one by one", "tests/test_docs_session.py"),
    NotRun(r"make( PYTHON=\S+| GPU=\d)*", "installs", "tests/test_packaging.py"),
    NotRun(r"(git clone|cd|\.|python[\d.]* -m (venv|pip)|pip|apt-get|printf|chmod) .*", "installs"),
    NotRun(r"(eval|affectnet-faces) .*", "the shell's", "tests/runtime/test_command.py"),
    NotRun(r"make bench.*|python -m benchmarks\..*", "takes minutes to an hour"),
    NotRun(r"python -m pipeline\.sample .*", "a minute", "tests/synthetic_faces/test_sample.py"),
    NotRun(
        r"python -m .* --config_name=sample_(plus|votes|groups).*",
        "of a benchmark",
        "tests/trainer/training/test_soft_targets.py",
    ),
    NotRun(r"(make|python -m trainer\.)\s?doctor", "half a minute", "tests/trainer/test_doctor.py"),
    NotRun(r"python -m docs\.folder_map", "writes a page", "tests/test_folder_map.py"),
    NotRun(r"python -m docs\.flag_reference", "writes a page", "tests/test_flag_reference.py"),
    NotRun(r"(make|python -m docs\.)\s?notebook", "writes it", "tests/test_notebook.py"),
    NotRun(r"tensorboard .*", "serves a page"),
    NotRun(r"tfds build .*", "TFDS's own", "tests/affectnet_tfds/test_affectnet_faces.py"),
    NotRun(r"make train FLAGS=.*", "minutes", "tests/test_makefile.py"),
    NotRun(
        r"make (shards RUNNER=flink|flink-).*", "a cluster", "tests/pipeline/beam/test_flink.py"
    ),
    NotRun(
        r"make (shards RUNNER=spark|spark-).*", "a cluster", "tests/pipeline/beam/test_spark.py"
    ),
    NotRun(r".*(--runner=|--flagfile=).*", "a cluster", "tests/pipeline/beam/test_flink.py"),
    NotRun(r".*(s3|gs|abfs)://.*", "a store", "tests/pipeline/files/test_object_store_builds.py"),
    NotRun(r"(sbatch|srun|kubectl|docker) .*", "a cluster", "tests/test_deploy.py"),
    NotRun(
        r"(make train-hosts|python -m trainer\.hosts).*", "minutes", "tests/trainer/test_hosts.py"
    ),
    NotRun(r".*--num_gpus=[1-9].*|.*--recipe=affectnet8.*", "GPUs", "tests/trainer/test_main.py"),
    NotRun(r"(make app|python -m trainer\.app).*", "serves a page", "tests/trainer/test_app.py"),
    NotRun(r"python -m trainer\.sweep.*", "an hour", "tests/trainer/test_sweep.py"),
    NotRun(r"python -m trainer\.audit.*", "hours", "tests/trainer/label_audit/test_audit.py"),
    NotRun(r".*--suspects=.*", "an audit's list", "tests/trainer/training/test_label_weights.py"),
    NotRun(r".*--(exclude|relabel)=.*", "a list", "tests/pipeline/test_lists_of_rows.py"),
    NotRun(
        r".*--format=(savedmodel|onnx|tflite).*", "half a minute", "tests/trainer/test_export.py"
    ),
    NotRun(
        r"python -m trainer\.(evaluate|compare) .*(models/|--subset=).*",
        "models of others",
        "tests/trainer/arena/test_judge.py",
    ),
    NotRun(r".*--groups_csv=.*", "needs the demo", "tests/trainer/reports/test_group_section.py"),
    NotRun(r"python -m trainer\.predict clip.*", "a video", "tests/trainer/test_predict.py"),
    NotRun(r".*--model_dir=runs/a,.*", "several runs", "tests/trainer/run/test_ensemble.py"),
    NotRun(r".*--teacher=.*", "a teacher", "tests/trainer/training/test_soft_targets.py"),
    NotRun(r".*(RAF-DB|FERPlus|ExpW).*", "other data sets", "tests/test_docs_data.py"),
    NotRun(r".*(FER2013|runs/fer2013).*", "an hour", "tests/trainer/training/test_recipes.py"),
    NotRun(r".*--weights=imagenet.*", "an hour", "tests/trainer/training/test_pretrained.py"),
    NotRun(r".*(release|--model=tiny).*", "a guide's code", "tests/test_docs_guides.py"),
    NotRun(r".*/path/to/AffectNet.*", "builds AffectNet", "tests/pipeline/test_main.py"),
]
"""Looked up after what is run; the first that matches counts."""


def given_flags(words: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    """Yield the name and the value of each flag."""
    for word in words:
        if word == "--":
            return
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            yield name, value if equals else None


def check(command: str) -> None:
    """Check the program or target of a command, and its flags or variables.

    Raises:
      AssertionError: naming what is unknown.
    """
    words = [word for word in shlex.split(command.replace("…", "...")) if word]
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0], flags=re.DOTALL):
        del words[0]
    if words[:2] == ["python", "-m"]:
        check_program(words[2], words[3:])
    elif words[0] == "affectnet-faces" and words[1:] and words[1] not in NOT_PROGRAMS:
        assert words[1] in command_lib.PROGRAMS, f"affectnet-faces has no {words[1]}"
        check_program(command_lib.PROGRAMS[words[1]].module, words[2:])
    elif words[0] == "make":
        check_target(words[1:])


DOCS = ("docs.folder_map", "docs.flag_reference", "docs.learning_curves", "docs.notebook")
NOT_PROGRAMS = (command_lib.COMPLETION, "--version", "--help", "PROGRAM")


def check_program(module: str, words: Sequence[str]) -> None:
    if module in flag_reference.programs():
        for name, value in given_flags(words):
            check_flag(module, name, value)
        if module == "trainer.hosts" and "--" in words:
            check_program("trainer.main", words[words.index("--") + 1 :])
    elif module.startswith("benchmarks."):
        section = documents.PAGES["docs/flags.md"].partition(f"## {module}\n")[2]
        known = re.findall(r"`--(\w+)`", section.partition("\n## ")[0])
        assert {name for name, _ in given_flags(words)} <= set(known), module
    elif module.startswith("tests.faults."):
        source = pathlib.Path(*module.split(".")).with_suffix(".py").read_text(encoding="utf-8")
        for name, _ in given_flags(words):
            assert f'"--{name}"' in source, f"{module} has no flag --{name}"
    else:
        assert module in ("...", "pytest", "venv", "pip", *DOCS), module


def check_flag(module: str, name: str, value: str | None) -> None:
    if name in ("help", "version"):
        return
    declared = flag_reference.declared(module)
    for known in {name, name.removeprefix("no")} & declared.keys():
        kind = declared[known]
        if (value is None) == (fields.value_type(kind, name=known)[0] is bool):
            check_value(kind, name=known, value=value, option=fields.options(kind)[known])
            return
    is_beams = module == "pipeline.main" and not runner.unknown_beam_args([f"--{name}={value}"])
    assert is_beams or name in ENGINES, f"{module} has no flag --{name}"


ENGINES = ("flagfile", "spark_version")
"""absl's own, and one that only Beam's job server for Spark knows."""


def check_value(kind: type, *, name: str, value: str | None, option: fields.Option) -> None:
    if value is None or PLACEHOLDER.search(value):
        return
    parsed = fields.value_of(value, config_type=kind, name=name)
    for each in parsed if isinstance(parsed, tuple) else (parsed,):
        assert not option.choices or each in option.choices, f"--{name}={value}"
        if isinstance(each, (int, float)):
            assert option.at_least <= each <= option.at_most, f"--{name}={value}"


CLUSTERS = {"flink-up": "deploy/flink/cluster.py", "spark-up": "deploy/spark/cluster.py"}


def check_target(words: Sequence[str]) -> None:
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, flags=re.MULTILINE))
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            assert word in (*targets, "..."), f"make has no target {word}"
        else:
            assert f"$({name})" in MAKEFILE, f"make has no variable {name}"
        if name == "FLAGS" and words[0] in CLUSTERS:
            source = (documents.ROOT / CLUSTERS[words[0]]).read_text(encoding="utf-8")
            for flag, _ in given_flags(shlex.split(value)):
                assert f'flag="{flag}"' in source, f"{words[0]} has no flag --{flag}"
        elif name == "FLAGS":
            module = "trainer.main" if words[0].startswith("train") else "pipeline.main"
            check_program(module, shlex.split(value))


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: f"{c.page}: {c.text[:60]}")
def test_the_flags_of_a_command_are_those_of_its_program(command):
    if command.page == "docs/add_a_backbone.md" and "--model=tiny" in command.text:
        return  # The name that the guide adds.
    check(_without_remark(command.text))


@pytest.mark.parametrize(
    "wrong",
    [
        "python -m trainer.main --epoch=3",
        "python -m trainer.main --epochs=many",
        "python -m trainer.main --optimizer=adm",
        "python -m trainer.main --dropout=2",
        "python -m trainer.main --tta=2 --nesterov",
        "python -m trainer.hosts --hosts=2 -- --epoch=3",
        "python -m trainer.train",
        "python -m pipeline.main --runnr=FlinkRunner",
        "python -m benchmarks.plan --rows=3",
        "make demos",
        "affectnet-faces train --epoch=3",
        "affectnet-faces trian",
        "make shards AFFECTNET=/data",
        "make spark-up FLAGS=--rest_port=8090",
        "make train-hosts FLAGS=--epoch=3",
    ],
)
def test_a_command_that_is_wrong_is_noticed(wrong):
    with pytest.raises((AssertionError, ValueError, errors.UserError)):
        check(wrong)


def _without_remark(text: str) -> str:
    """Return a command without the words after it, as in a table of commands."""
    return re.split(r"   +| +#", text)[0]


def reason(command: str) -> NotRun | None:
    return next((each for each in NOT_RUN if re.fullmatch(each.pattern, command, re.DOTALL)), None)


def test_every_command_to_copy_is_run_or_says_why_not():
    copied = {_without_remark(c.text) for c in COMMANDS if c.is_fenced}
    open_ones = copied - set(test_docs_session.RUN)
    assert [command for command in sorted(open_ones) if not reason(command)] == []
    assert set(test_docs_session.RUN) - copied == set(), "run, and in no document"


def test_a_reason_that_names_tests_names_a_file_that_is_there():
    for each in NOT_RUN:
        assert not each.tests or (documents.ROOT / each.tests).is_file(), each


def test_no_reason_is_left_of_a_command_that_is_gone():
    texts = [_without_remark(c.text) for c in COMMANDS]
    for each in NOT_RUN:
        assert any(re.fullmatch(each.pattern, text, re.DOTALL) for text in texts), each
