import sys

import pytest

from trainer.distributed import gpu_faults, nvidia, tensorflow_build

BUILD = tensorflow_build.Build(
    version="2.21.0",
    is_cuda=True,
    cuda="12.5.1",
    cudnn="9",
    capabilities=((6, 0), (7, 0), (8, 0), (8, 9), (9, 0)),
)
LIBRARIES = {
    **dict.fromkeys(("cudart", "cublas", "cublasLt", "cusparse"), (12,)),
    **dict.fromkeys(("cufft", "cusolver"), (11,)),
    "cudnn": (9,),
}
COMMAND = f"{sys.executable} -m pip install 'tensorflow[and-cuda]==2.21.0'"
A100 = nvidia.Gpu(name="NVIDIA A100", memory_bytes=40 << 30, capability=(8, 0))


def fault(monkeypatch, *, gpus=(A100,), build=BUILD, **differing):
    facts = {"driver": "550.54.14", "has_libcuda": True, "libraries": LIBRARIES, **differing}
    monkeypatch.setattr(nvidia, "gpus", lambda: list(gpus))
    machine = nvidia.Machine(is_linux=True, devices=("/dev/nvidia0",), **facts)
    return gpu_faults.fault(machine, build=build)


def test_a_complete_machine_has_no_fault(monkeypatch):
    assert fault(monkeypatch) is None


@pytest.mark.parametrize(
    "differing, text",
    [
        (
            {"driver": "", "has_libcuda": False, "libraries": {}},
            "it has no driver (neither /proc/driver/nvidia nor libcuda.so.1 is there): install "
            "NVIDIA's driver, 525.60 or newer, and restart; a container is started with --gpus=all",
        ),
        (
            {"has_libcuda": False},
            "the driver's library libcuda.so.1 is not there, while driver 550.54.14 is loaded: "
            "start the container with --gpus=all (NVIDIA Container Toolkit), or install the rest "
            "of the driver",
        ),
        (
            {"driver": "470.82.01"},
            "its driver 470.82.01 is too old for CUDA 12: install NVIDIA's driver, 525.60 or newer",
        ),
        (
            {"libraries": {}},
            "its CUDA libraries are not installed (no libcudart, libcublas, libcublasLt, libcudnn, "
            "libcufft, libcusolver, libcusparse), and TensorFlow 2.21.0 needs CUDA 12 and cuDNN 9: "
            + COMMAND,
        ),
        (
            {"libraries": {name: found for name, found in LIBRARIES.items() if name != "cudnn"}},
            "its CUDA libraries are not installed (no libcudnn), and TensorFlow 2.21.0 needs CUDA "
            "12 and cuDNN 9: " + COMMAND,
        ),
        (
            {"libraries": LIBRARIES | {"cudart": (11, 13), "cudnn": (8,)}},
            "its CUDA libraries are of another version (libcudart.so.13, libcudnn.so.8), and "
            "TensorFlow 2.21.0 needs CUDA 12 and cuDNN 9: " + COMMAND,
        ),
        (
            {"build": tensorflow_build.Build(version="2.21.0", is_cuda=False)},
            "TensorFlow 2.21.0 is installed in a build without CUDA: "
            + COMMAND.replace("install", "install --force-reinstall"),
        ),
        (
            {"gpus": [A100, nvidia.Gpu(name="RTX 5090", memory_bytes=1, capability=(12, 0))]},
            "RTX 5090 has compute capability 12.0, and TensorFlow 2.21.0 is built for 6.0 to 9.0: "
            "its kernels and XLA fail on newer ones (tensorflow#111958); use a build of TensorFlow "
            "for this GPU, as in NVIDIA's TensorFlow container (NGC), or leave the GPU out by "
            "CUDA_VISIBLE_DEVICES",
        ),
        (
            {"gpus": [nvidia.Gpu(name="K80", memory_bytes=1, capability=(3, 7))]},
            "K80 has compute capability 3.7, and TensorFlow 2.21.0 is built for 6.0 to 9.0: leave "
            "this GPU out by CUDA_VISIBLE_DEVICES, or use a newer one",
        ),
    ],
)
def test_each_fault_has_its_own_sentence_and_what_mends_it(monkeypatch, differing, text):
    assert fault(monkeypatch, **differing) == text


def test_libraries_of_two_versions_are_fine_if_one_fits(monkeypatch):
    assert fault(monkeypatch, libraries=LIBRARIES | {"cudart": (12, 13)}) is None


def test_wsl_whose_driver_is_in_windows_has_no_version_to_check(monkeypatch):
    assert fault(monkeypatch, driver="") is None


def test_a_driver_that_does_not_start_is_a_fault(monkeypatch):
    def refuse():
        raise nvidia.DriverError("cuInit: CUDA_ERROR_SYSTEM_DRIVER_MISMATCH")

    monkeypatch.setattr(nvidia, "gpus", refuse)
    machine = nvidia.Machine(
        is_linux=True, devices=("/dev/nvidia0",), has_libcuda=True, libraries=LIBRARIES
    )
    assert gpu_faults.fault(machine, build=BUILD) == (
        "its driver does not start (cuInit: CUDA_ERROR_SYSTEM_DRIVER_MISMATCH): restart the "
        "machine if the driver was updated, and see whether nvidia-smi lists the GPU"
    )


def test_the_build_that_is_installed_is_read_without_importing_it():
    import tensorflow as tf

    build = tensorflow_build.installed()
    info = tf.sysconfig.get_build_info()
    assert build.version == tf.__version__
    assert build.is_cuda == info["is_cuda_build"]
    if build.is_cuda:
        assert (build.cuda, build.cudnn) == (info["cuda_version"], info["cudnn_version"])
        assert len(build.capabilities) == len(info["cuda_compute_capabilities"])


def test_compute_capabilities_are_read_of_machine_code_and_of_ptx():
    named = ("sm_60", "sm_89", "sm_90a", "compute_90", "sm_120")
    assert [tensorflow_build._capability(name) for name in named] == [
        (6, 0), (8, 9), (9, 0), (9, 0), (12, 0),
    ]  # fmt: skip
