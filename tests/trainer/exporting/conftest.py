"""A small trained run, and its exports, each made once."""

import numpy as np
import pytest

from tests.trainer import conftest
from trainer.exporting import exporter, formats
from trainer.run import context, data_provenance, model_folder, trained_run
from trainer.training import setup, trainer


def _trained(make_ctx, *, version, model_dir, **settings) -> trained_run.Run:
    ctx = make_ctx(
        model_dir=str(model_dir), data_dir=str(version.path.parents[2]), epochs=1, **settings
    )
    model_folder.claim(ctx.settings)
    train = context.read_split(ctx, split="train")
    validation = context.read_split(ctx, split="validation")
    trainer.Trainer(
        ctx, network=setup.model(ctx), model_dir=model_dir, train=train, selection=validation
    ).train()
    data_provenance.save(version, model_dir=model_dir)
    return trained_run.find(str(model_dir))


@pytest.fixture(scope="session")
def export_run(version, tmp_path_factory, make_ctx) -> trained_run.Run:
    """A run of 16 pixels with one large dense layer, whose quantised weights are most of a file."""
    model_dir = tmp_path_factory.mktemp("runs") / "run"
    return _trained(
        make_ctx, version=version, model_dir=model_dir, image_size=16, dense_units=(256,)
    )


@pytest.fixture(scope="session")
def ten_crop_run(version, tmp_path_factory, make_ctx) -> trained_run.Run:
    """A run that is evaluated on ten crops, at the size of the stored images, with attention."""
    model_dir = tmp_path_factory.mktemp("runs") / "ten_crops"
    return _trained(
        make_ctx,
        version=version,
        model_dir=model_dir,
        crop_px=20,
        tta="ten_crop",
        channel_attention="eca",
    )


@pytest.fixture(scope="session")
def flipped_run(version, tmp_path_factory, make_ctx) -> trained_run.Run:
    """A run with weights as they were drawn, which is evaluated on mirror images too."""
    folder = tmp_path_factory.mktemp("runs") / "flipped"
    return conftest.untrained(
        make_ctx, folder=folder, data_dir=version.path.parents[2], tta="flip", pooling="mean"
    )


@pytest.fixture(scope="session")
def exported(export_run, version, tmp_path_factory):
    """Return a function that makes an export once: its folder, its runner and its comparison."""
    exports: dict[str, tuple] = {}

    def once(format: str, quantize: str = "none"):
        name = f"{format}_{quantize}"
        if name not in exports:
            folder = tmp_path_factory.mktemp("exports") / name
            comparison = exporter.export(
                exporter.ExportRequest(
                    run=export_run,
                    format=format,
                    quantize=quantize,
                    folder=folder,
                    data_path=version.path,
                )
            )
            runner = formats.OPEN[format](folder / formats.FILES[format])
            exports[name] = (folder, runner, comparison)
        return exports[name]

    return once


@pytest.fixture(scope="session")
def random_crops():
    """Return a function that makes uint8[..., 3] of a shape."""

    def make(*shape: int) -> np.ndarray:
        return np.random.default_rng(0).integers(0, 256, (*shape, 3)).astype(np.uint8)

    return make
