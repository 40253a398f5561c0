import ctypes
import types

import pytest

from trainer.distributed import nvidia


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setattr(nvidia, "ROOT", tmp_path)
    return tmp_path


def write(root, name, text=""):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def probe(root, **environment):
    return nvidia.probe(packages=root / "env/lib/python3/site", environment=environment)


def test_an_empty_machine_has_nothing(root):
    assert probe(root) == nvidia.Machine(is_linux=False)


def test_device_files_are_gpus(root):
    for name in ("dev/nvidia1", "dev/nvidia0", "dev/nvidiactl", "dev/nvidia-uvm"):
        write(root, name)
    assert probe(root).devices == ("/dev/nvidia0", "/dev/nvidia1")
    assert nvidia.has_device()


@pytest.mark.parametrize(
    "vendor, kind, is_gpu",
    [
        ("0x10de", "0x030000", True),
        ("0x10de", "0x030200", True),
        ("0x10de", "0x040300", False),  # Its sound device.
        ("0x1002", "0x030000", False),
    ],
)
def test_a_card_without_a_driver_is_known_by_its_maker_and_class(root, vendor, kind, is_gpu):
    card = "sys/bus/pci/devices/0000:01:00.0"
    write(root, f"{card}/vendor", f"{vendor}\n")
    write(root, f"{card}/class", f"{kind}\n")
    assert probe(root).devices == (("PCI device 0000:01:00.0",) if is_gpu else ())


def test_in_wsl_the_gpu_is_nvidias_if_windows_brings_its_driver(root):
    write(root, "dev/dxg")
    machine = probe(root)
    assert machine.devices == () and machine.has_other_gpu
    write(root, "usr/lib/wsl/lib/libcuda.so.1")
    machine = probe(root)
    assert machine.devices == ("/dev/dxg",) and machine.has_libcuda and not machine.has_other_gpu


@pytest.mark.parametrize(
    "text, version",
    [
        ("NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19\nGCC 12.2.0", "535.104.05"),
        ("NVIDIA UNIX Open Kernel Module for x86_64  550.54.14  Release", "550.54.14"),
        ("", ""),
    ],
)  # fmt: skip
def test_the_version_of_the_driver_is_that_of_the_kernel_module(root, text, version):
    write(root, "proc/driver/nvidia/version", f"NVRM version: {text}")
    assert probe(root).driver == version


def test_libraries_are_found_where_tensorflow_and_the_linker_look(root):
    write(root, "env/lib/python3/site/nvidia/cudnn/lib/libcudnn.so.9")
    write(root, "env/lib/libcusolver.so.11")
    write(root, "etc/ld.so.conf", "include ld.so.conf.d/*.conf\n/opt/sparse\n")
    write(root, "opt/sparse/libcusparse.so.12")
    write(root, "opt/cuda/lib/libcudart.so.12")
    write(root, "etc/ld.so.conf.d/cuda.conf", "/usr/local/cuda/lib64\n")
    write(root, "usr/local/cuda/lib64/libcublas.so.13")
    write(root, "usr/local/cuda/lib64/libcublas.so.12.5.3.2")
    write(root, "usr/lib64/libcuda.so.1")
    write(root, "elsewhere/libcufft.so.11")
    machine = probe(root, LD_LIBRARY_PATH="/opt/cuda/lib:")
    assert machine.libraries == {
        "cublas": (12, 13), "cudart": (12,), "cudnn": (9,), "cusolver": (11,), "cusparse": (12,),
    }  # fmt: skip
    assert machine.has_libcuda


@pytest.mark.parametrize(
    "value, is_hidden",
    [(None, False), ("0,1", False), ("", True), ("-1", True), ("-1,0", True), ("NoDevFiles", True)],
)
def test_a_variable_may_hide_the_gpus(root, value, is_hidden):
    environment = {} if value is None else {"CUDA_VISIBLE_DEVICES": value}
    assert probe(root, **environment).is_hidden is is_hidden


def driver(*gpus, start=0):
    """A stand-in for libcuda.so.1 with these GPUs: name, bytes, compute capability."""

    def count(number):
        number._obj.value = len(gpus)

    def attribute(value, number, index):
        value._obj.value = gpus[index][2][number - 75]

    def name(buffer, size, index):
        buffer.value = gpus[index][0].encode()

    def memory(size, index):
        size._obj.value = gpus[index][1]

    def error(code, text):
        text._obj.value = b"CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"

    return types.SimpleNamespace(
        cuInit=lambda flags: start,
        cuDeviceGetCount=count,
        cuDeviceGetAttribute=attribute,
        cuDeviceGetName=name,
        cuDeviceTotalMem_v2=memory,
        cuGetErrorName=error,
    )


def test_the_driver_tells_name_memory_and_compute_capability():
    assert nvidia.gpus(driver(("NVIDIA A100", 40 * 2**30, (8, 0)), ("B200", 1, (10, 0)))) == [
        nvidia.Gpu(name="NVIDIA A100", memory_bytes=40 * 2**30, capability=(8, 0)),
        nvidia.Gpu(name="B200", memory_bytes=1, capability=(10, 0)),
    ]


def test_a_driver_that_does_not_start_says_so_by_the_name_of_its_error():
    with pytest.raises(nvidia.DriverError, match="cuInit: CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"):
        nvidia.gpus(driver(start=803))


def test_a_driver_without_its_library_says_so(monkeypatch):
    def load(name):
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(ctypes, "CDLL", load)
    with pytest.raises(nvidia.DriverError, match="libcuda.so.1: cannot open"):
        nvidia.gpus()
