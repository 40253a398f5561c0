"""Train a classifier of facial expressions: python -m trainer.main --num_gpus=4 --model_dir=runs/first.

Owns the order of things: flags, refusals that need no TensorFlow, then the rest.
"""

from trainer import commandline, config, dataset, devices, folder, quiet

ABOUT = """Train a classifier of facial expressions on a published affectnet_faces.

  python -m trainer.main --num_gpus=4 --model_dir=runs/first     four GPUs; the same command continues a cut-off run
  python -m trainer.main --num_gpus=0 --virtual_devices=2        the distributed path on a CPU"""


def main() -> None:
    """Train as the flags say."""
    settings = config.resolve(commandline.given(config.SECTIONS))
    devices.refuse_early(settings.devices)
    path = dataset.locate(settings.data)
    if not settings.run.is_trial:
        folder.check(settings)
    with quiet.chatter_off():
        from trainer import training  # Inside: TensorFlow's import takes seconds, and the refusals above need none.
    training.run(settings, data_path=path)


if __name__ == "__main__":
    commandline.define(config.SECTIONS)
    commandline.run(main, sections=config.SECTIONS, about=ABOUT)
