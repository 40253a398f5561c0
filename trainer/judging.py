"""From a trained network to a judgement, its report and the protocol it was judged by.

Owns what is judged on what and says so; used at the end of training and by `evaluate`.
"""

import pathlib
from collections.abc import Mapping, Sequence

import keras

from trainer import assembly, metrics, pictures, prediction, report, standing


def run(
    network: keras.Model,
    *,
    examples: pictures.Split,
    at: assembly.Site,
    history: Sequence[Mapping[str, float]],
) -> metrics.Judgement:
    """Load the best weights of the run's folder, judge them on a split, write the report and say so.

    Raises:
      refusal.Refusal: if there are no weights, or they belong to another network.
    """
    model_dir = pathlib.Path(at.settings.run.model_dir)
    best_epoch = int(standing.load_best(network, model_dir=model_dir)["epoch"])
    predictor = prediction.Predictor(network, strategy=at.strategy)
    chances = predictor.probabilities(examples, batch_size=at.settings.training.batch_size)
    judgement = metrics.judge(examples.labels, chances, class_names=at.version.class_names)
    protocol = _protocol(at, split=examples.name, best_epoch=best_epoch)
    print(report.table(judgement))
    files = report.write(judgement, model_dir=model_dir, history=history, protocol=protocol)
    print(
        f"judged        {examples.name} accuracy {judgement.accuracy:.3f}, macro-F1 {judgement.macro.f1:.3f}, "
        f"M {judgement.m_measure:.3f}  (weights of epoch {best_epoch}, chosen by validation accuracy)"
    )
    print(f"look at       {'  '.join(str(path) for path in files.values())}", flush=True)
    return judgement


def _protocol(at: assembly.Site, *, split: str, best_epoch: int) -> dict[str, str]:
    drawn = " (drawn faces, not AffectNet)" if at.version.is_drawn else ""
    return {
        "data": f"{at.version.name}{drawn}, fingerprint {at.version.fingerprint}",
        "split": split,
        "examples": f"{at.version.counts[split]:,}",
        "classes": ", ".join(at.version.class_names),
        "selection": f"epoch {best_epoch} of {at.settings.training.epochs}, by accuracy on validation",
    }
