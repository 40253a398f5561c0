import importlib.metadata
import json
import os
import resource

import pytest

from affectnet_tfds import dataset_paths
from trainer.diagnosis import (
    check,
    data_checks,
    gpu_checks,
    package_checks,
    system_checks,
)
from trainer.diagnosis.check import Level
from trainer.distributed import gpu_faults, nvidia, tensorflow_build

BUILD = tensorflow_build.Build(
    version="2.21.0", is_cuda=True, cuda="12.5.1", cudnn="9", capabilities=((6, 0), (9, 0))
)


def test_a_line_has_its_level_and_below_it_what_to_do():
    made = check.Check("cuda", Level.BAD, "none", "install it")
    assert made.lines() == "cuda          bad       none\n                        install it"
    assert made.as_json() == {
        "name": "cuda", "level": "bad", "finding": "none", "advice": "install it",
    }  # fmt: skip
    assert check.worst([check.good("a", "b"), made]) is Level.BAD
    assert check.worst([]) is Level.GOOD


@pytest.mark.parametrize(
    "version, level", [((3, 9), Level.BAD), ((3, 10), Level.GOOD), ((3, 14), Level.BAD)]
)
def test_python_has_to_be_one_that_tensorflow_has_wheels_for(monkeypatch, version, level):
    monkeypatch.setattr(package_checks.sys, "prefix", "/venv")
    assert package_checks.python(version).level is level


REQUIREMENTS = [
    "numpy<3,>=1.26",
    'tensorflow<2.22,>=2.20; extra == "train"',
    'tensorflow[and-cuda]<2.22,>=2.20; extra == "gpu"',
    'optuna<5,>=4; extra == "sweep"',
]


@pytest.mark.parametrize(
    "installed, level, finding",
    [
        ({"numpy": "2.1.0", "tensorflow": "2.21.0"}, Level.GOOD, "tensorflow 2.21.0, numpy 2.1.0"),
        ({"numpy": "2.1.0"}, Level.BAD, "tensorflow is missing"),
        (
            {"numpy": "1.24.4", "tensorflow": "2.22.0"},
            Level.BAD,
            "numpy 1.24.4 is there, and <3,>=1.26 is needed; "
            "tensorflow 2.22.0 is there, and <2.22,>=2.20 is needed",
        ),
    ],
)
def test_packages_are_compared_with_what_setup_asks_for(monkeypatch, installed, level, finding):
    monkeypatch.setattr(package_checks, "_version", installed.get)
    made = package_checks.packages(REQUIREMENTS)
    assert (made.level, made.finding) == (level, finding)
    assert bool(made.advice) == (level is Level.BAD)


def test_extras_are_listed_with_those_that_are_not_installed(monkeypatch):
    monkeypatch.setattr(package_checks, "_version", {"tensorflow": "2.21.0"}.get)
    assert package_checks.extras(REQUIREMENTS).finding == "installed: none; not installed: sweep"
    monkeypatch.setattr(package_checks, "_version", {"optuna": "4.1"}.get)
    assert package_checks.extras(REQUIREMENTS).finding == "installed: sweep"


def test_our_own_requirements_are_read_from_the_installation():
    requirements = importlib.metadata.requires(package_checks.DISTRIBUTION)
    assert package_checks.packages(requirements).level is Level.GOOD
    assert "sweep" in package_checks.extras(requirements).finding


def test_a_tensorflow_that_is_missing_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(nvidia, "has_device", lambda: True)
    made = package_checks.tensorflow(None)
    assert made.level is Level.BAD and made.advice.endswith("--editable '.[gpu]'")
    assert package_checks.tensorflow(BUILD).finding == (
        "2.21.0, built for CUDA 12.5.1, cuDNN 9, compute capability 6.0 to 9.0"
    )


def levels(checks):
    return {made.name: made.level.name for made in checks}


def test_a_machine_without_a_gpu_is_good():
    assert levels(gpu_checks.checks(nvidia.Machine(is_linux=True), build=BUILD)) == {"gpu": "GOOD"}


def test_each_fault_of_a_gpu_is_a_line_of_its_own(monkeypatch):
    new = nvidia.Gpu(name="RTX 5090", memory_bytes=32 * 10**9, capability=(12, 0))
    old = nvidia.Gpu(name="A100", memory_bytes=40 * 10**9, capability=(8, 0))
    monkeypatch.setattr(nvidia, "gpus", lambda: [old, new])
    machine = nvidia.Machine(
        is_linux=True, devices=("/dev/nvidia0",), driver="470.82", has_libcuda=True
    )
    made = list(gpu_checks.checks(machine, build=BUILD))
    assert levels(made) == {
        "gpu": "GOOD", "driver": "BAD", "cuda": "BAD", "gpu 0": "GOOD", "gpu 1": "BAD",
    }  # fmt: skip
    driver, cuda, first, second = made[1:]
    assert driver.advice == "install NVIDIA's driver, 525.60 or newer"
    assert cuda.advice == BUILD.install_command
    assert first.finding == "A100, 40 GB, compute capability 8.0"
    assert gpu_faults.capability_fault([new], build=BUILD) == f"{second.finding}: {second.advice}"


def test_gpus_that_a_variable_hides_are_doubtful():
    machine = nvidia.Machine(is_linux=True, devices=("/dev/nvidia0",), visible="-1")
    made = gpu_checks.device(machine)
    assert made.level is Level.DOUBTFUL and made.advice.startswith("unset CUDA_VISIBLE_DEVICES")


START = {"kind": "start", "version": "2.21.0", "seconds": 3.0, "gpus": 2}
PRODUCT = {
    "kind": "product",
    "device": "/gpu:0",
    "is_right": True,
    "tflops": {"bfloat16": 200.0, "float32": 20.0},
}
REFUSED = {"kind": "refused", "reason": "the memory of GPU 0 is full: end the other program"}
SUM = {"kind": "all_reduce", "devices": 2, "is_right": True, "gb_per_s": 90.0}


@pytest.mark.parametrize(
    "lines, end, expected",
    [
        ([START, PRODUCT, SUM], "", {"start": "GOOD", "gpu 0": "GOOD", "all-reduce": "GOOD"}),
        ([START, {**PRODUCT, "is_right": False}], "", {"start": "GOOD", "gpu 0": "BAD"}),
        ([START, {**SUM, "is_right": False}], "", {"start": "GOOD", "all-reduce": "BAD"}),
        ([{**START, "gpus": 0}], "", {"start": "GOOD", "gpu": "BAD"}),
        ([START, REFUSED], "", {"start": "GOOD", "gpu": "BAD"}),
        ([START], "TensorFlow was ended by SIGABRT", {"start": "GOOD", "tensorflow": "BAD"}),
        ([], "TensorFlow was ended by SIGILL", {"tensorflow": "BAD"}),
    ],
)
def test_what_was_computed_is_judged(lines, end, expected):
    probed = gpu_checks.Probed(lines=lines, end=end, warnings=("Cannot dlopen",))
    assert levels(gpu_checks.computed(probed, has_device=True)) == expected


def test_what_is_refused_has_its_own_way_out_as_advice():
    (_, made) = gpu_checks.computed(gpu_checks.Probed(lines=[START, REFUSED], end=""), has_device=1)
    assert (made.finding, made.advice) == ("the memory of GPU 0 is full", "end the other program")


@pytest.mark.parametrize("bfloat16, is_advised", [(0.45, True), (0.06, False), (0.003, False)])
def test_bfloat16_is_advised_where_it_is_faster(bfloat16, is_advised):
    line = {**PRODUCT, "device": "/cpu:0", "tflops": {"bfloat16": bfloat16, "float32": 0.05}}
    probed = gpu_checks.Probed(lines=[{**START, "gpus": 0}, line], end="")
    made = list(gpu_checks.computed(probed, has_device=False))[-1]
    assert made.level is Level.GOOD and made.name == "cpu 0"
    assert f"GFLOP/s: {1e3 * bfloat16:,.0f} in bfloat16 and 50 in float32" in made.finding
    assert ("--precision=bfloat16" in made.advice) == is_advised


@pytest.mark.parametrize("device, is_limited", [("/cpu:0", True), ("/gpu:0", False)])
def test_only_of_a_cpu_the_advice_says_what_bfloat16_does_not_speed_up(device, is_limited):
    probed = gpu_checks.Probed(lines=[START, {**PRODUCT, "device": device}], end="")
    made = list(gpu_checks.computed(probed, has_device=True))[-1]
    assert "--precision=bfloat16" in made.advice
    assert ("depthwise" in made.advice) == is_limited


@pytest.mark.parametrize(
    "ending, says",
    [("kill -ABRT $$", "was ended by SIGABRT"), ("exec sleep 60", "did not answer for 3 s")],
)
def test_a_probe_that_dies_or_hangs_leaves_what_it_printed(monkeypatch, tmp_path, ending, says):
    script = tmp_path / "python"
    script.write_text(
        "#!/bin/sh\n"
        'echo \'{"kind": "start", "gpus": 1}\'\n'
        "echo 'W0000 a.cc:1] Cannot dlopen some GPU libraries. Please' >&2\n"
        f"echo 'LLVM ERROR: PTX' >&2\n{ending}\n"
    )
    script.chmod(0o755)
    monkeypatch.setattr(gpu_checks.sys, "executable", str(script))
    probed = gpu_checks.run_probe(timeout_s=3)
    assert probed.num_gpus == 1
    assert probed.warnings == ("Cannot dlopen some GPU libraries",)
    assert probed.end == f"TensorFlow {says} (LLVM ERROR: PTX)"


@pytest.mark.parametrize(
    "free_gb, level", [(0.5, Level.BAD), (10, Level.DOUBTFUL), (100, Level.GOOD)]
)
def test_a_full_disk_is_noticed_in_a_folder_that_is_not_there_yet(
    monkeypatch, tmp_path, free_gb, level
):
    asked = []

    class Usage:
        free = free_gb * 1e9

    monkeypatch.setattr(
        system_checks.shutil, "disk_usage", lambda path: asked.append(path) or Usage
    )
    made = system_checks.disk("disk", folder=tmp_path / "a/b", advice="another")
    assert (made.level, asked) == (level, [tmp_path])


def test_little_shared_memory_is_doubtful_for_several_gpus_only():
    small = 64 * 2**20
    assert system_checks.shared_memory(small, num_gpus=1).level is Level.GOOD
    made = system_checks.shared_memory(small, num_gpus=2)
    assert made.level is Level.DOUBTFUL and "--shm-size=8g" in made.advice


def test_few_open_files_are_doubtful():
    assert system_checks.open_files(256).advice == "ulimit -n 4096"
    for limit in (1024, resource.RLIM_INFINITY):
        assert system_checks.open_files(limit).level is Level.GOOD


def test_published_versions_are_listed_with_their_counts(data_dir, tmp_path):
    (made,) = data_checks.checks(data_dir)
    assert made.level is Level.GOOD
    assert made.finding.endswith("affectnet_faces/sample/1.0.0: 62 train, 37 validation")
    (none,) = data_checks.checks(tmp_path)
    assert none.level is Level.DOUBTFUL and "make shards" in none.advice


def test_a_version_whose_shards_are_missing_or_that_cannot_be_read_is_bad(tmp_path):
    version = tmp_path / dataset_paths.version_folder("sample")
    version.mkdir(parents=True)
    (version / dataset_paths.FEATURES).touch()
    info = version / dataset_paths.DATASET_INFO
    info.write_text(json.dumps({"splits": [{"name": "train", "shardLengths": ["3", "4"]}]}))
    (version / dataset_paths.shard_name("train", 0, 2)).touch()
    (made,) = data_checks.checks(tmp_path)
    assert made.level is Level.BAD
    assert made.finding.endswith(
        f"1 shards are missing, {dataset_paths.shard_name('train', 1, 2)} first"
    )
    info.write_text("{")
    (made,) = data_checks.checks(tmp_path)
    assert made.level is Level.BAD and "cannot read dataset_info.json" in made.finding


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        "{}",
        '{"splits": [1]}',
        '{"splits": 1}',
        '{"splits": [{"name": "train", "shardLengths": null}]}',
        '{"splits": [{"name": "train", "shardLengths": ["x"]}]}',
        '{"splits": [{"name": "train", "shardLengths": ["-1"]}]}',
        '{"splits": [{"name": "train", "shardLengths": [%s]}]}' % ("9" * 5000),
        '{"splits": [{"name": [], "shardLengths": []}]}',
        "[" * 9000,
        b"\xff",
        None,
    ],
)
def test_damaged_metadata_are_a_bad_line_of_the_doctor(tmp_path, content):
    info = tmp_path / dataset_paths.DATASET_INFO
    if content is None:
        os.mkfifo(info)
    else:
        info.write_bytes(content if isinstance(content, bytes) else content.encode())
    made = data_checks.published(tmp_path)
    assert made.level is Level.BAD and "cannot read dataset_info.json (" in made.finding
