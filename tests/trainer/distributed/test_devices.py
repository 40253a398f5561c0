import pytest

from runtime import errors
from trainer.config import run_config
from trainer.distributed import devices


@pytest.mark.parametrize(
    "available, sentence",
    [
        (
            0,
            "--num_gpus=4, but this machine has no GPU. Use --num_gpus=0 for the CPU, "
            "or --num_gpus=0 --virtual_devices=4 to try the four-way path on it.",
        ),
        (
            1,
            "--num_gpus=4, but this machine has 1 GPU. Use --num_gpus=1 for that one, "
            "--num_gpus=0 for the CPU, or --num_gpus=0 --virtual_devices=4 to try the four-way "
            "path on it.",
        ),
        (
            2,
            "--num_gpus=4, but this machine has 2 GPUs. Use --num_gpus=2 for those, "
            "--num_gpus=0 for the CPU, or --num_gpus=0 --virtual_devices=4 to try the four-way "
            "path on it.",
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


def test_a_linux_machine_without_device_nodes_is_refused_before_tensorflow(tmp_path):
    (tmp_path / "proc/self").mkdir(parents=True)
    with pytest.raises(errors.UserError, match="no GPU"):
        devices.refuse_early(run_config.Devices(num_gpus=1), root=tmp_path)
    devices.refuse_early(run_config.Devices(num_gpus=0), root=tmp_path)
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/nvidia0").touch()
    devices.refuse_early(run_config.Devices(num_gpus=1), root=tmp_path)


def test_another_system_is_left_to_tensorflow(tmp_path):
    devices.refuse_early(run_config.Devices(num_gpus=1), root=tmp_path)


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
