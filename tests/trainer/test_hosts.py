"""Several hosts, as processes of this machine."""

import csv
import dataclasses
import json
import signal
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest

from tests import programs
from tests.trainer import drift
from trainer import hosts
from trainer.data import input_pipeline
from trainer.distributed import host_channel, host_failure, tf_config
from trainer.evaluation import predictions
from trainer.run import checkpoint, context
from trainer.training import setup, trainer

FLAGS = [
    "--num_gpus=0",
    "--conv_filters=4",
    "--dense_units=16",
    "--epochs=8",
    "--batch_size=20",
    "--deterministic",
]
FULL = [*FLAGS, "--dropout=0.3", "--augment=1", "--optimizer=sgd", "--clip_norm=4", "--batch_norm",
        "--ema_decay=0.9", "--sam_rho=0.02", "--learning_rate=0.0005",
        "--activation=tanh"]  # fmt: skip
"""62 examples in batches of 20: 4 steps an epoch, the last of 2, so that one of two hosts has none
of them. Not all gradients are clipped: those that are do not show by what they were multiplied.
What is smooth drifts less."""
NUM_STEPS = 32


def started(*flags, module="trainer.main", first=()):
    words = [sys.executable, "-m", module, *first, *map(str, flags)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def two_hosts(*flags):
    return started(*flags, module="trainer.hosts", first=["--hosts=2", "--"])


def configs_of_two():
    """Return the TF_CONFIG of each of two hosts."""
    cluster = {"worker": [f"127.0.0.1:{port}" for port in hosts.free_ports(2)]}
    return [
        json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}})
        for index in range(2)
    ]


def two_forked_hosts(monkeypatch, *flags):
    """Start two hosts as forks that have TensorFlow already: its import takes 10 s of a core."""
    processes = []
    for config in configs_of_two():
        with monkeypatch.context() as patch:
            patch.setenv("TF_CONFIG", config)
            processes.append(programs.Program("trainer.main", *flags))
    return processes


def ended(process):
    output, _ = process.communicate(timeout=500)
    return process.returncode, output


def wait_for_step(process, step, *, folder):
    """Wait until a run has a checkpoint of a step, or ended."""
    while process.poll() is None and newest_step(folder) < step:
        time.sleep(0.01)


def kill_host(launcher, *, index):
    """Kill one of the launcher's hosts."""
    for process in psutil.Process(launcher.pid).children():
        if json.loads(process.environ()["TF_CONFIG"])["task"]["index"] == index:
            process.kill()


def newest_step(folder):
    return max(
        (int(path.stem.removeprefix("step-")) for path in folder.glob("step-*.npz")), default=0
    )


def arrays_of(model_dir):
    return checkpoint.load_newest(model_dir / "checkpoints")[0]


def drift_of(arrays, others, *, start):
    """Return the largest drift of weights, of their averages and of velocities."""
    assert arrays.keys() == others.keys()
    starts = {"weight": start, "average": start, "slot": None}
    kinds = {kind: [name for name in arrays if name.startswith(f"{kind}/")] for kind in starts}
    assert sorted(sum(kinds.values(), [])) == sorted(arrays)
    return max(
        drift.largest(
            [arrays[name] for name in names],
            [others[name] for name in names],
            start=starts[kind] or [np.zeros_like(arrays[name]) for name in names],
        )
        for kind, names in kinds.items()
    )


def assert_same(arrays, others):
    assert arrays.keys() == others.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, others[name], err_msg=name)


def evaluated(model_dir):
    """Return each epoch's loss on validation, and the probabilities of the best weights."""
    losses = [float(row["val_loss"]) for row in csv.DictReader((model_dir / "history.csv").open())]
    return np.array(losses), predictions.read(model_dir / "predictions.csv").probabilities


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_two_hosts_that_were_stopped_and_killed_train_as_one_host_that_was_not(
    data_dir, make_ctx, tmp_path, monkeypatch
):
    """Two unbroken hosts would be compared with the same runs, to which they are equal as well."""
    flags = [f"--data_dir={data_dir}", *FULL]
    one = programs.Program("trainer.main", *flags, f"--model_dir={tmp_path}/one")
    unbroken = programs.Program(
        "trainer.main", *flags, "--virtual_devices=2", f"--model_dir={tmp_path}/two_replicas"
    )
    for process in (one, unbroken):
        done = process.wait()
        assert done.returncode == 0, done.stderr

    cut = [*flags, f"--model_dir={tmp_path}/cut", "--checkpoint_steps=1"]
    folder = tmp_path / "cut/checkpoints"

    stopped = two_forked_hosts(monkeypatch, *cut)
    wait_for_step(stopped[0], 8, folder=folder)
    stopped[1].signal(signal.SIGTERM)
    chief, other = [process.wait() for process in stopped]
    assert chief.returncode == other.returncode == 143, (chief, other)
    again = f"the same command on every host continues {tmp_path}/cut"
    assert f"stopped by a signal to another host: {again}" in chief.stderr
    assert f"stopped by SIGTERM: {again}" in other.stderr
    assert 8 <= newest_step(folder) < NUM_STEPS

    killed = two_hosts(*cut)
    wait_for_step(killed, newest_step(folder) + 8, folder=folder)
    kill_host(killed, index=1)
    code, output = ended(killed)
    assert code == 137, output
    assert "[0] devices       2 hosts of 1 CPU each" in output
    assert "[1] " in output
    assert "[0] error: host 1 (127.0.0.1:" in output
    assert f"continues {tmp_path}/cut from its last checkpoint\n" in output
    assert "Traceback" not in output
    assert newest_step(folder) < NUM_STEPS

    chief, other = [process.wait() for process in two_forked_hosts(monkeypatch, *cut)]
    assert chief.returncode == other.returncode == 0, (chief, other)
    assert "continuing" in chief.stdout
    assert "prints the progress" in other.stdout

    # A sum of two is the same in either order: what one host with as many replicas does, two do bit
    # for bit.
    found = arrays_of(tmp_path / "cut")
    assert_same(found, arrays_of(tmp_path / "two_replicas"))
    for those, wanted in zip(
        evaluated(tmp_path / "cut"), evaluated(tmp_path / "two_replicas"), strict=True
    ):
        np.testing.assert_array_equal(those, wanted)
    network = setup.model(make_ctx(conv_filters=(4,), batch_norm=True, activation="tanh"))
    start = [variable.numpy() for variable in network.variables]
    assert drift_of(found, arrays_of(tmp_path / "one"), start=start) < drift.LIMIT
    for those, wanted in zip(evaluated(tmp_path / "cut"), evaluated(tmp_path / "one"), strict=True):
        assert len(those) in (8, 37)
        np.testing.assert_allclose(those, wanted, rtol=1e-3)


HANGS = """
import runpy, sys, time
from trainer.training import trainer

def read_from_a_dead_disk(self, groups, *, timer):
    if self._state.epoch < 1:
        return train_group(self, groups, timer=timer)
    time.sleep(600)

train_group = trainer.Trainer._train_group
trainer.Trainer._train_group = read_from_a_dead_disk
runpy.run_module("trainer.main", run_name="__main__")
"""


@pytest.mark.slow
def test_hosts_stop_when_one_hangs_and_print_the_stack_of_each(data_dir, tmp_path, monkeypatch):
    flags = [
        f"--data_dir={data_dir}",
        *FLAGS,
        f"--model_dir={tmp_path}/run",
        "--host_stall_minutes=0.3",
    ]
    processes = []
    for config, program in zip(
        configs_of_two(), (["-m", "trainer.main"], ["-c", HANGS]), strict=True
    ):
        monkeypatch.setenv("TF_CONFIG", config)
        command = [sys.executable, *program, *flags]
        processes.append(
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        )
    outputs = [ended(process) for process in processes]
    sentence = (
        "error: no step was finished in 0.3 minutes (--host_stall_minutes=0.3): a host hangs; all "
        "hosts stop, and the same command on every host continues "
    )
    assert [code for code, _ in outputs] == [host_failure.EXIT_CODE] * 2, outputs
    assert "tensorflow/python/" in outputs[0][1] and "read_from_a_dead_disk" not in outputs[0][1]
    assert "in read_from_a_dead_disk" in outputs[1][1]
    assert sentence in outputs[0][1] and sentence in outputs[1][1]


def test_a_host_that_is_not_the_chief_writes_nothing(make_ctx, tmp_path):
    other = host_channel.HostChannel(
        tf_config.Cluster(hosts=("a:1",), tasks=(("worker", "0"),), index=1), peers={}
    )
    ctx = dataclasses.replace(make_ctx(model_dir=str(tmp_path / "run"), epochs=1), connection=other)
    train, validation = (context.read_split(ctx, split=split) for split in ("train", "validation"))
    running = trainer.Trainer(
        ctx,
        network=setup.model(ctx),
        train=train,
        selection=validation,
        model_dir=tmp_path / "run",
    )
    assert len(running.train()) == 1
    assert list(tmp_path.iterdir()) == []


def test_hosts_share_the_rows_of_a_plan_and_each_reads_its_own():
    layout = input_pipeline.BatchLayout(batch_size=8, num_replicas=4, steps_per_execution=2)
    whole = input_pipeline.plan(30, layout=layout, epochs=range(2))
    shares = [
        input_pipeline.plan(30, layout=layout, epochs=range(2), replicas=each)
        for each in (range(2), range(2, 4))
    ]
    assert set(shares[0][:, 2]) == {0, 1} and set(shares[1][:, 2]) == {2, 3}
    assert sorted(map(tuple, np.concatenate(shares).tolist())) == sorted(map(tuple, whole.tolist()))


@pytest.mark.parametrize(
    "config, flags, sentence",
    [
        ("{}", [], 'error: TF_CONFIG must have a "cluster"; it looks like {"cluster": '),
        (
            '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 0}}',
            ["--virtual_devices=2"],
            "error: --virtual_devices=2, but with several hosts the CPU of each is one replica, or "
            "its GPUs are: use --virtual_devices=1 on these 2",
        ),
        (
            '{"cluster": {"worker": ["127.0.0.1:1", "b:1"]}, '
            '"task": {"type": "worker", "index": 1}}',
            ["--host_wait_minutes=0"],
            "error: host 0 (127.0.0.1:1) could not be reached in time (Connection refused): is it "
            "started",
        ),
        (
            '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 0}}',
            ["--dry_run"],
            "error: --dry_run and --find_lr are for one host: start them without TF_CONFIG",
        ),
    ],
)
def test_a_bad_config_is_one_sentence_before_tensorflow_is_loaded(
    data_dir, tmp_path, monkeypatch, config, flags, sentence
):
    monkeypatch.setenv("TF_CONFIG", config)
    code, output = ended(
        started(f"--data_dir={data_dir}", f"--model_dir={tmp_path}/run", "--num_gpus=0", *flags)
    )
    assert code == 2
    assert output.startswith(sentence)
    assert output.count("\n") == 1


TWO = tf_config.Cluster(hosts=("a:1", "b:2"), tasks=(("worker", "0"), ("worker", "1")), index=0)


def test_a_lost_host_is_distinguished_from_other_errors_and_named():
    class UnavailableError(Exception):
        __module__ = "tensorflow.python.framework.errors_impl"

    broken = UnavailableError(
        "Collective ops is aborted by: /job:worker/task:0 misses /job:worker/replica:0/task:1 now"
    )
    assert (
        host_failure.explain(broken, hosts=TWO)
        == "host 1 (b:2) was lost: it ended, or cannot be reached"
    )
    assert host_failure.explain(
        UnavailableError("Collective ops is aborted"), hosts=TWO
    ).startswith("a host was lost")
    assert (
        host_failure.explain(host_channel.LostHost("host 1 was lost"), hosts=TWO)
        == "host 1 was lost"
    )
    assert host_failure.explain(UnavailableError("out of memory"), hosts=TWO) is None
    assert host_failure.explain(ValueError("Collective ops is aborted"), hosts=TWO) is None


def test_the_launcher_splits_its_own_flags_from_those_of_the_hosts():
    assert hosts.split(["x", "--hosts=3", "--", "--epochs=1", "--"]) == (
        ["x", "--hosts=3"],
        ["--epochs=1", "--"],
    )
    assert hosts.split(["x"]) == (["x"], [])


@pytest.mark.parametrize(
    "programs, code",
    [
        (["pass", "pass"], 0),
        (["import time; time.sleep(60)", "raise SystemExit(7)"], 7),
        (["import os; os.kill(os.getpid(), 9)", "import time; time.sleep(60)"], 137),
        (
            [
                "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)",
                "import time; time.sleep(0.5); raise SystemExit(3)",
            ],
            3,
        ),
    ],
)
def test_the_launcher_ends_all_hosts_when_one_fails_and_returns_its_exit_code(programs, code):
    processes = [subprocess.Popen([sys.executable, "-c", program]) for program in programs]
    began = time.monotonic()
    assert hosts.wait(processes, grace_s=1.0) == code
    assert time.monotonic() - began < 15
    assert all(process.poll() is not None for process in processes)
