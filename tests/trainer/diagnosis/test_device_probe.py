import json

from runtime import errors
from trainer.diagnosis import device_probe
from trainer.distributed import devices


def test_a_gpu_that_cannot_be_used_is_told_in_the_words_of_the_refusal(monkeypatch, capsys):
    def full():
        raise errors.UserError("the memory of GPU 0 is full: end the other program")

    monkeypatch.setattr(devices, "start", full)
    device_probe.main()
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["kind"] for line in lines] == ["start", "refused"]
    assert lines[1]["reason"] == "the memory of GPU 0 is full: end the other program"


def test_a_device_multiplies_and_its_speed_is_measured():
    measured = device_probe.product("/cpu:0", timed=64)
    assert measured["is_right"] is True and min(measured["tflops"].values()) > 0
    assert list(measured["tflops"]) == ["bfloat16", "float32"]


def test_a_wrong_product_is_noticed(monkeypatch):
    import tensorflow as tf

    real = tf.matmul
    monkeypatch.setattr(tf, "matmul", lambda a, b: real(a, b) + tf.cast(1, a.dtype))
    assert device_probe.product("/cpu:0", timed=64)["is_right"] is False


def test_numbers_are_added_over_all_devices():
    measured = device_probe.all_reduce([f"/cpu:{i}" for i in range(4)], count=1000)
    assert measured["is_right"] is True and measured["gb_per_s"] > 0
