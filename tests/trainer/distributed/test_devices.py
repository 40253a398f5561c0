import pytest
import tensorflow as tf

from runtime import errors
from trainer.config import run_config
from trainer.distributed import devices, nvidia, tensorflow_build


@pytest.mark.parametrize(
    "available, sentence",
    [
        (
            0,
            "--num_gpus=4, but this machine has no GPU: use --num_gpus=0 for the CPU, "
            "or --num_gpus=0 --virtual_devices=4 to try the four-way path on it",
        ),
        (
            1,
            "--num_gpus=4, but this machine has 1 GPU: use --num_gpus=1 for that one, "
            "--num_gpus=0 for the CPU, or --num_gpus=0 --virtual_devices=4 to try the four-way "
            "path on it",
        ),
        (
            2,
            "--num_gpus=4, but this machine has 2 GPUs: use --num_gpus=2 for those, "
            "--num_gpus=0 for the CPU, or --num_gpus=0 --virtual_devices=4 to try the four-way "
            "path on it",
        ),
    ],
)
def test_more_gpus_than_there_are_are_refused_with_the_way_out(available, sentence):
    with pytest.raises(errors.UserError) as no:
        devices.check_count(run_config.Devices(num_gpus=4), available=available)
    assert str(no.value) == sentence


def test_as_many_as_there_are_and_fewer_are_fine():
    for num_gpus in (None, 0, 1, 2):
        devices.check_count(run_config.Devices(num_gpus=num_gpus), available=2)


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """An empty Linux machine; a function that adds files to it."""
    monkeypatch.setattr(nvidia, "ROOT", tmp_path)
    monkeypatch.setattr(nvidia, "packages_folder", lambda: None)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    def add(*names):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()

    add("proc/self/stat")
    return add


BUILD = tensorflow_build.Build(version="2.21.0", is_cuda=True, cuda="12.5.1", cudnn="9")


@pytest.fixture
def built(monkeypatch):
    monkeypatch.setattr(tensorflow_build, "installed", lambda: BUILD)


def refusal(num_gpus, **others):
    with pytest.raises(errors.UserError) as no:
        devices.refuse_early(run_config.Devices(num_gpus=num_gpus, **others))
    return str(no.value)


def test_a_machine_without_a_gpu_is_refused_if_gpus_are_asked_for(machine):
    assert "--num_gpus=1, but this machine has no GPU: use --num_gpus=0" in refusal(1)
    for num_gpus in (0, None):
        devices.refuse_early(run_config.Devices(num_gpus=num_gpus))


def test_an_nvidia_gpu_that_tensorflow_cannot_use_is_never_left_for_the_cpu_in_silence(
    machine, built
):
    machine("dev/nvidia0")
    assert refusal(4).startswith(
        "--num_gpus=4, but the NVIDIA GPU of this machine (/dev/nvidia0) cannot be used: it has no "
        "driver"
    )
    assert refusal(None).startswith(
        "TensorFlow cannot use the NVIDIA GPU of this machine (/dev/nvidia0): it has no driver"
    )
    assert refusal(None).endswith("; --num_gpus=0 uses the CPU")
    devices.refuse_early(run_config.Devices(num_gpus=0))


def test_gpus_that_a_variable_hides_are_refused_by_its_name_and_not_used_otherwise(
    machine, built, monkeypatch
):
    machine("dev/nvidia0")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert refusal(1).startswith("--num_gpus=1, but CUDA_VISIBLE_DEVICES='-1' hides the GPUs")
    devices.refuse_early(run_config.Devices(num_gpus=None))


def test_another_makers_gpu_and_another_system_are_left_to_tensorflow(machine, tmp_path):
    machine("dev/kfd")
    devices.refuse_early(run_config.Devices(num_gpus=1))
    (tmp_path / "dev/kfd").unlink()
    (tmp_path / "proc/self/stat").unlink()
    (tmp_path / "proc/self").rmdir()
    devices.refuse_early(run_config.Devices(num_gpus=1))


def test_more_gpus_than_there_are_come_before_their_splitting(machine):
    machine()
    assert refusal(4, virtual_devices=2).startswith("--num_gpus=4, but this machine has no GPU: ")


def test_several_gpus_are_not_split(machine):
    machine("dev/nvidia0", "dev/nvidia1")
    assert refusal(2, virtual_devices=4) == (
        "--virtual_devices=4 splits the CPU (--num_gpus=0) or one GPU (--num_gpus=1), and here are "
        "2 GPUs to use: give one of these, or --virtual_devices=1"
    )


@pytest.fixture
def tensorflow(monkeypatch):
    """TensorFlow with two GPUs of 8 GiB; what it is told of them."""
    told = {"growth": [], "split": {}}
    config = tf.config
    gpus = ["GPU:0", "GPU:1"]
    monkeypatch.setattr(config, "list_physical_devices", lambda kind: gpus if kind == "GPU" else [])
    monkeypatch.setattr(
        config, "set_visible_devices", lambda which, kind: told.update(visible=which)
    )
    monkeypatch.setattr(config, "get_visible_devices", lambda kind: told["visible"])
    monkeypatch.setattr(
        config,
        "set_logical_device_configuration",
        lambda gpu, parts: told["split"].update({gpu: parts}),
    )
    monkeypatch.setattr(
        config.experimental, "set_memory_growth", lambda gpu, enable: told["growth"].append(gpu)
    )
    gpu = nvidia.Gpu(name="A", memory_bytes=8 * 2**30, capability=(8, 0))
    monkeypatch.setattr(nvidia, "gpus", lambda: [gpu, gpu])
    told["gpus"] = gpus
    return told


def test_one_gpu_is_split_into_equal_parts_of_its_memory(tensorflow):
    names = devices.prepare(run_config.Devices(num_gpus=1, virtual_devices=4))
    assert names == ["/gpu:0", "/gpu:1", "/gpu:2", "/gpu:3"]
    (parts,) = tensorflow["split"].values()
    assert [part.memory_limit for part in parts] == [int(0.85 * 8 * 1024 / 4)] * 4
    assert tensorflow["growth"] == []  # TensorFlow allows one or the other.


def test_whole_gpus_take_memory_as_they_need_it(tensorflow):
    assert devices.prepare(run_config.Devices()) == ["/gpu:0", "/gpu:1"]
    assert tensorflow["growth"] == ["GPU:0", "GPU:1"]
    assert tensorflow["split"] == {}


@pytest.mark.parametrize(
    "starts", [devices.start, lambda: devices.strategy(["/gpu:0"])], ids=["start", "strategy"]
)
def test_a_gpu_that_another_program_has_filled_is_refused_in_a_sentence(monkeypatch, starts):
    def full():
        raise tf.errors.InternalError(
            None, None, "cudaSetDevice() on GPU:0 failed. Status: out of memory"
        )

    monkeypatch.setattr(tf.config, "list_logical_devices", full)
    with pytest.raises(errors.UserError) as no:
        starts()
    assert str(no.value) == (
        "the memory of GPU 0 is full: another program holds it: end that, name another GPU in "
        "CUDA_VISIBLE_DEVICES, or use --num_gpus=0; nvidia-smi shows what else holds it"
    )


def test_gpus_of_a_classifier_take_memory_as_they_need_it(tensorflow, monkeypatch):
    devices.take_memory_as_needed()
    assert tensorflow["growth"] == ["GPU:0", "GPU:1"]

    def started(gpu, enable):
        raise RuntimeError("Physical devices cannot be modified after being initialized")

    monkeypatch.setattr(tf.config.experimental, "set_memory_growth", started)
    devices.take_memory_as_needed()  # They stay as they are.


def test_all_gpus_there_are_cannot_be_split_if_they_are_several(tensorflow):
    with pytest.raises(errors.UserError, match="and here are 2 GPUs to use"):
        devices.prepare(run_config.Devices(virtual_devices=2))


def test_a_gpu_that_tensorflow_does_not_list_is_refused_whatever_the_cause(
    machine, tensorflow, monkeypatch
):
    machine("dev/nvidia0")
    tensorflow["gpus"].clear()
    for num_gpus in (None, 1):
        with pytest.raises(errors.UserError, match="TensorFlow lists no GPU, and 'python -m train"):
            devices.prepare(run_config.Devices(num_gpus=num_gpus))


def test_the_line_about_devices_says_that_a_gpu_is_not_used(machine):
    assert devices.describe(["/cpu:0"]) == "CPU, one replica"
    machine("dev/nvidia0")
    assert devices.describe(["/cpu:0"]) == "CPU, one replica; the NVIDIA GPU is not used"


@pytest.mark.parametrize(
    "batch_size, way, sentence",
    [
        (30, {"num_replicas": 4}, "by 4 replicas: use --batch_size=28 or --batch_size=32"),
        (3, {"num_replicas": 4}, "by 4 replicas: use --batch_size=4"),
        (
            36,
            {"num_replicas": 4, "num_microbatches": 2},
            "by 4 replicas in 2 microbatches each (--accumulate_steps): use --batch_size=32 or "
            "--batch_size=40",
        ),
        (
            18,
            {"num_replicas": 4, "in_pairs": True},
            "by 4 replicas in pairs (--mixup, --cutmix): use --batch_size=16 or --batch_size=24",
        ),
        (
            9,
            {"num_replicas": 1, "num_microbatches": 2},
            "by one replica in 2 microbatches each (--accumulate_steps): use --batch_size=8 or "
            "--batch_size=10",
        ),
    ],
)
def test_a_batch_that_cannot_be_shared_evenly_is_refused_with_all_numbers(
    batch_size, way, sentence
):
    with pytest.raises(errors.UserError) as no:
        devices.check_batch(batch_size, **way)
    assert str(no.value) == f"--batch_size={batch_size} cannot be shared evenly {sentence}"


def test_a_batch_that_can_be_shared_is_fine():
    devices.check_batch(32, num_replicas=4)
    devices.check_batch(32, num_replicas=4, num_microbatches=8)


def test_devices_of_a_tensorflow_that_has_started_are_taken_as_they_are():
    assert len(tf.config.list_logical_devices("CPU")) == 4  # conftest's; asking starts TensorFlow.
    asked = run_config.Devices(num_gpus=0, virtual_devices=2)
    assert devices.prepare(asked) == ["/cpu:0", "/cpu:1"]
    with pytest.raises(errors.UserError, match="5 CPU devices are wanted, .* started .* with 4"):
        devices.prepare(run_config.Devices(num_gpus=0, virtual_devices=5))
