"""Exports made before the layers moved: a .keras file with the old module names still loads."""

import json
import os
import pathlib
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from trainer.exporting import formats, parity_check, signature
from trainer.inference import trained_model

OLD_MODULES = {
    "trainer.exporting.signature": "trainer.serving",
    "trainer.models.layers": "trainer.layers",
    "trainer.models.sync_batch_norm": "trainer.batch_norm",
}
LOAD = """
import sys
import keras
import numpy as np
import trainer.serving

model = keras.saving.load_model(sys.argv[1])
crops = np.load(sys.argv[2])
np.savez(sys.argv[3], **{name: value.numpy() for name, value in model(crops).items()})
"""
REGISTERED = """
import keras
import trainer.serving

names = ["BatchNormalization", "CaffeMean", "Dropout", "DropPath", "Gray", "Probabilities"]
names += ["Resize", "Standardise"]
print(*[n for n in names if keras.saving.get_registered_object(f"affectnet_faces>{n}") is None])
"""


def with_old_modules(path: pathlib.Path, target: pathlib.Path) -> set[str]:
    """Copy a .keras archive with the module names of before, and return those in it."""
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(target, "w") as archive:
        for name in source.namelist():
            content = source.read(name)
            if name == "config.json":
                text = content.decode()
                for new, old in OLD_MODULES.items():
                    text = text.replace(json.dumps(new), json.dumps(old))
                content = text.encode()
                modules = {old for old in OLD_MODULES.values() if json.dumps(old) in text}
            archive.writestr(name, content)
    return modules


def run_python(code: str, *arguments) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_keras_file_with_the_old_module_names_loads_after_import_trainer_serving(
    photo_run, tmp_path
):
    network, _ = trained_model.network(photo_run)
    model = signature.model(photo_run, network=network)
    formats.write_keras(model, path=tmp_path / "new.keras")
    modules = with_old_modules(tmp_path / "new.keras", tmp_path / "old.keras")
    assert modules == {"trainer.serving", "trainer.layers"}
    crops = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3)).astype(np.uint8)
    np.save(tmp_path / "crops.npy", crops)
    run_python(LOAD, tmp_path / "old.keras", tmp_path / "crops.npy", tmp_path / "outputs.npz")
    wanted = parity_check.network_runner(network, run=photo_run)(crops)
    with np.load(tmp_path / "outputs.npz") as outputs:
        assert parity_check.difference(dict(outputs), wanted) < 1e-6


@pytest.mark.slow
def test_importing_trainer_serving_registers_every_layer_of_an_export():
    assert run_python(REGISTERED).strip() == ""
