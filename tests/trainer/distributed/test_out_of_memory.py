import pytest
import tensorflow as tf

from runtime import errors
from trainer.distributed import out_of_memory


def raised(error):
    with out_of_memory.as_sentence("use less"):
        raise error


@pytest.mark.parametrize(
    "error, sentence",
    [
        (
            tf.errors.ResourceExhaustedError(
                None, None, "OOM when allocating tensor with shape[64,32] and type float on "
                "/job:localhost/replica:0/task:0/device:GPU:1 by allocator GPU_1_bfc"
            ),
            "the memory of GPU 1 is full: use less; nvidia-smi shows what else holds it",
        ),
        (
            tf.errors.InternalError(None, None, "CUDA_ERROR_OUT_OF_MEMORY: out of memory"),
            "the memory of the device is full: use less; nvidia-smi shows what else holds it",
        ),
        (
            tf.errors.InternalError(
                None, None, "cudaSetDevice() on GPU:2 failed. Status: out of memory"
            ),
            "the memory of GPU 2 is full: use less; nvidia-smi shows what else holds it",
        ),
        (
            tf.errors.UnknownError(None, None, "CUDNN_STATUS_ALLOC_FAILED in GPU_0_bfc"),
            "the memory of GPU 0 is full: use less; nvidia-smi shows what else holds it",
        ),
    ],
)  # fmt: skip
def test_full_memory_is_one_sentence_with_the_device(error, sentence):
    with pytest.raises(errors.UserError) as no:
        raised(error)
    assert str(no.value) == sentence


@pytest.mark.parametrize(
    "error",
    [
        tf.errors.ResourceExhaustedError(None, None, "/data/x; No space left on device"),
        tf.errors.InvalidArgumentError(None, None, "logits and labels must be broadcastable"),
        ValueError("out of memory"),
    ],
)
def test_other_errors_stay_what_they_are(error):
    with pytest.raises(type(error)):
        raised(error)


def test_memory_that_is_really_full_is_noticed():
    with (
        pytest.raises(errors.UserError, match="the memory of this machine is full: use less"),
        out_of_memory.as_sentence("use less"),
    ):
        tf.function(lambda: tf.reduce_sum(tf.random.uniform([2**46])))()
