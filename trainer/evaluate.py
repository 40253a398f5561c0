"""Judge a trained model: python -m trainer.evaluate --model_dir=DIR.

Owns the way from a model folder to a judgement and its report; the numbers are `metrics`', the pictures `report`'s.
"""

import dataclasses
import pathlib

from trainer import commandline, config, dataset, devices, option, quiet, refusal

ABOUT = """Judge a trained model on a split of its data set, and write metrics.json and the report's pictures.

  python -m trainer.evaluate --model_dir=runs/first"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What to judge; data and network are those the model was trained with."""

    model_dir: str = option.field("runs/latest", "folder of the trained model")
    data_dir: str | None = option.field(None, "folder that holds the data set", default_text="as in training")
    split: str = option.field("validation", "split to judge on")
    num_gpus: int | None = option.field(None, "GPUs to use; 0 is the CPU", at_least=0, default_text="all there are")
    virtual_devices: int = option.field(1, "logical devices to split the CPU into", at_least=1, at_most=64)


def main() -> None:
    """Judge as the flags say."""
    asked = Evaluation(**commandline.given({"Evaluation": Evaluation}))
    option.check(asked)
    settings = _settings(asked)
    devices.refuse_early(settings.devices)
    data_path = dataset.locate(settings.data)
    with quiet.chatter_off():
        from trainer import assembly, judging, logs  # Inside: the refusals above must not wait for TensorFlow.
    version = dataset.open_version(data_path)
    dataset.check_split(version, split=asked.split)
    at = assembly.site(settings, version=version)
    history = logs.read_csv(pathlib.Path(asked.model_dir) / logs.HISTORY)
    examples = assembly.read(at, split=asked.split)
    judging.run(assembly.model(at), examples=examples, at=at, history=history)


def _settings(asked: Evaluation) -> config.Config:
    path = pathlib.Path(asked.model_dir) / config.FILE
    if not path.exists():
        raise refusal.Refusal(
            f"{asked.model_dir} holds no trained model ({config.FILE}); train one, or name its --model_dir"
        )
    was = config.load(path)
    return dataclasses.replace(
        was,
        data=dataclasses.replace(was.data, data_dir=asked.data_dir or was.data.data_dir),
        devices=config.Devices(num_gpus=asked.num_gpus, virtual_devices=asked.virtual_devices),
        run=dataclasses.replace(was.run, model_dir=asked.model_dir),
    )


if __name__ == "__main__":
    commandline.define({"Evaluation": Evaluation})
    commandline.run(main, sections={"Evaluation": Evaluation}, about=ABOUT)
