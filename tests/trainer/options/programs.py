"""Options of the other programs: each with what it changes."""

import contextlib
import dataclasses
import importlib.util
import io
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import types

import cv2
import numpy as np

from affectnet_tfds import dataset_paths
from affectnet_tfds import labels as affectnet
from runtime import fields, flags
from tests.trainer.arena.models import linear_onnx
from tests.trainer.options.case import Case
from trainer import app, audit, baseline, compare, doctor, evaluate, export, hosts, predict, sweep
from trainer.comparison import page as comparison_page
from trainer.diagnosis import gpu_checks
from trainer.distributed import devices
from trainer.evaluation import paired_comparison
from trainer.exporting import exporter, formats, signature
from trainer.inference import face_classifier, face_detector, trained_model
from trainer.reports import evaluation_report, publication
from trainer.run import context


def printed(lab, settings, *, main, words=None):
    """Return what a program prints, with these options given."""

    def given(sections):
        names = {name for section in sections.values() for name in fields.options(section)}
        return {name: value for name, value in settings.items() if name in names}

    text = io.StringIO()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    with lab.monkeypatch.context() as patch, contextlib.redirect_stdout(text):
        patch.setattr(flags, "given", given)
        with contextlib.suppress(SystemExit):
            main() if words is None else main(words)
    for number, handler in before.items():
        signal.signal(number, handler)
    return text.getvalue()


def files() -> list[str]:
    return sorted(str(path) for path in pathlib.Path().glob("*/*")) + sorted(
        str(path) for path in pathlib.Path().glob("*.*")
    )


def swept(lab, settings):
    """Return a sweep's files, the names that its trials vary, and which of them are pruned."""
    import optuna  # Inside: an extra.

    from trainer.tuning import report, trials

    varied, pruned = [], []

    def train(trial, *, chosen, reader, folder):
        varied.append(sorted(chosen))
        for epoch in (1, 2, 3):
            trial.report(-trial.number, step=epoch)  # Every trial is worse than those before it.
        pruned.append(trial.should_prune())
        states = optuna.trial.TrialState
        state = states.PRUNED if pruned[-1] else states.COMPLETE
        score = None if pruned[-1] else float(-trial.number)
        return trials.Outcome(state=state, score=score, remark="")

    ctx = lab.make_ctx()
    with lab.monkeypatch.context() as patch:
        patch.setattr(trials, "_train", train)
        patch.setattr(report, "write", lambda *_, **__: None)
        patch.setattr(context, "create", lambda *_, **__: ctx)
        printed(lab, {"trials": 7, "data_dir": "data", **settings}, main=sweep.main)
    return {"files": files(), "varied": varied, "pruned": pruned}


def audited(lab, settings):
    """Return an audit's files, the sizes of its folds, and what it finds; nothing is trained."""
    from trainer.label_audit import out_of_fold  # Inside: it imports TensorFlow.

    sizes = []

    def predict(ctx, *, data, fold, output_dir):
        sizes.append(int((data.folds == fold).sum()))
        probs = np.random.default_rng(fold).dirichlet(np.ones(8), sizes[-1])
        return out_of_fold.Outputs(probabilities=probs, features=np.ones((sizes[-1], 2)))

    ctx = lab.make_ctx()
    with lab.monkeypatch.context() as patch:
        patch.setattr(context, "create", lambda *_, **__: ctx)
        patch.setattr(out_of_fold, "predict", predict)
        printed(lab, {"data_dir": "data", "num_gpus": 0, **settings}, main=audit.main)
    pages = [path.read_text() for path in pathlib.Path().glob("*/**/audit.html")]
    lists = [path.read_text() for path in pathlib.Path().glob("*/**/suspects.csv")]
    shown = [page.count("<figcaption>") for page in pages]
    found = sorted(str(path) for path in pathlib.Path().glob("*/**/suspects.csv"))
    return {"files": found, "sizes": sizes, "lists": lists, "shown": shown}


def evaluated(lab, settings):
    """Return what the evaluation is given: model, data, examples, folder of the report, devices."""
    found = {}
    pathlib.Path("list.txt").write_text("validation/0/3\nvalidation/1/5.jpg\n")
    pathlib.Path("people.csv").write_text("file,age,skin\nvalidation/0/3,34,dark\n")

    def create(settings, *, version):
        names = devices.prepare(settings.devices)
        return dataclasses.replace(
            lab.make_ctx(), settings=settings, version=version, device_line=str(names)
        )

    def run_members(members, *, report_dir, subset, grouped):
        (member,) = members
        attributes_found = grouped.attributes_of(member.examples)
        found.update(
            attributes={name: texts.tolist() for name, texts in attributes_found.items()},
            least=grouped.least_images,
            model=str(member.model_dir),
            data=member.ctx.version.fingerprint,
            labels=member.examples.labels,
            report=str(report_dir),
            devices=member.ctx.device_line,
        )

    with lab.monkeypatch.context() as patch:
        patch.setattr(context, "create", create)
        patch.setattr(evaluation_report, "run_members", run_members)
        _four_gpus(patch)
        printed(lab, {"model_dir": "run", **settings}, main=evaluate.main)
    return found


def judged(lab, settings):
    """Return the probabilities of a model of others that are evaluated."""
    found = {}
    names = affectnet.class_names(8)
    said = "color: gray\nscaling: 0..1\noutput_kind: logits\n"
    for name, order in (("a", names), ("b", names[::-1])):
        weights = np.random.default_rng(0).normal(size=(64, 8)) * (1 + (name == "b"))
        linear_onnx(f"{name}.onnx", weights=weights, shape=["n", 1, 8, 8])
        pathlib.Path(f"{name}.yaml").write_text(f"classes: [{', '.join(order)}]\n{said}")
        ids = [
            f"validation/{shard}/{n}" for shard, count in enumerate((19, 18)) for n in range(count)
        ]
        rows = [f"id,{','.join(order)}", *(f"{each},0.3,0.7,0,0,0,0,0,0" for each in ids)]
        pathlib.Path(f"{name}.csv").write_text("\n".join(rows))

    def publish(preds, **_):
        found["probabilities"] = preds.probabilities

    with lab.monkeypatch.context() as patch:
        patch.setattr(publication, "publish", publish)
        printed(lab, {"data_dir": "data", **settings}, main=evaluate.main)
    return found


def _four_gpus(patch):
    import tensorflow as tf

    config = tf.config
    patch.setattr(config, "list_physical_devices", lambda kind: [f"{kind}:{i}" for i in range(4)])
    patch.setattr(config, "set_visible_devices", lambda *_: None)
    patch.setattr(config, "set_logical_device_configuration", lambda *_: None)
    patch.setattr(config.experimental, "set_memory_growth", lambda *_, **__: None)
    patch.setattr(devices, "refuse_early", lambda *_, **__: None)


def exported(lab, settings):
    """Return an export's file and about its size, its weights, and the data it is checked on."""
    found = {}

    def write(request):
        request.folder.mkdir(parents=True)
        members = trained_model.members(request.run)
        model = signature.of_members(members)
        path = request.folder / formats.FILES[request.format]
        formats.write(model, format=request.format, path=path, quantize=request.quantize)
        found["file"] = str(path)
        found["kilobytes"] = path.stat().st_size // 1000
        found["weights"] = [weight.numpy() for each in members for weight in each.network.weights]
        found["metrics"] = request.run.metrics()
        found["data"] = str(request.data_path)

    with lab.monkeypatch.context() as patch:
        patch.setattr(exporter, "export", write)
        patch.setattr(devices, "prepare", lambda _: None)
        patch.setattr(export, "_NEEDS", {})
        printed(lab, {"model_dir": "run", **settings}, main=export.main)
    return found


def predicted(lab, settings):
    """Return what is printed of a clip of three seconds, and the files that are drawn."""
    writer = cv2.VideoWriter("clip.avi", cv2.VideoWriter_fourcc(*"MJPG"), 4.0, (64, 48))
    for level in range(12):
        writer.write(np.full((48, 64, 3), (20 * level, 0, 0), np.uint8))
    writer.release()
    detect = face_detector.detector

    rows = "file,x,y,width,height,confidence\nface.png,0,0,30,30,0.5\nface.png,0,0,20,20,0.9\n"
    pathlib.Path("boxes.csv").write_text(rows)
    cv2.imwrite("face.png", np.full((48, 64, 3), 90, np.uint8))
    found = {"devices": [], "batches": []}

    def detector(name, **filters):
        found["devices"].append(filters["device"])
        return (lambda pixels: []) if name == "mtcnn" else detect(name, **filters)

    def classify(self, images_found, **_):
        found["batches"].append(len(images_found))
        return classify_found(self, images_found)

    classify_found = face_classifier.FaceClassifier.classify_found
    with lab.monkeypatch.context() as patch:
        _four_gpus(patch)
        patch.setattr(face_classifier, "_Networks", _on_cpu(face_classifier._Networks))
        patch.setattr(face_classifier.FaceClassifier, "classify_found", classify)
        patch.setattr(face_detector, "check_installed", lambda _: None)
        patch.setattr(face_detector, "detector", detector)
        asked = {"model_dir": "run", "detector": "none", "num_gpus": 0, **settings}
        words = ["clip.avi"] if asked["detector"] in ("none", "mtcnn") else ["face.png"]
        text = printed(lab, asked, main=predict.main, words=words)
    return {"text": text, "files": files(), **found}


def _on_cpu(networks):
    return lambda run, device: networks(run, device="/cpu:0")


def served(lab, settings):
    """Return the model, the detector and the port that the page is served with."""
    found = {}

    def serve(run, *, detector, listener, folder, explain):
        found.update(model=str(run.model_dir), detector=detector, port=listener.getsockname()[1])
        found["explain"] = explain

    with lab.monkeypatch.context() as patch:
        patch.setattr(app, "serve", serve)
        patch.setattr(face_detector, "check_installed", lambda _: None)
        patch.setattr(importlib.util, "find_spec", lambda _: True)
        printed(lab, {"model_dir": "run", "port": PORTS[0], **settings}, main=app.main)
    return found


def measured(lab, settings):
    """Return what the linear classifier prints, and the files that it leaves."""
    asked = {"data_dir": "data", "image_size": 4, **settings}
    with lab.monkeypatch.context() as patch:
        patch.setattr(devices, "prepare", lambda _: None)
        return {"text": printed(lab, asked, main=baseline.main), "files": files()}


def compared(lab, settings):
    """Return the files that a comparison leaves, and its page."""
    with lab.monkeypatch.context() as patch:
        patch.setattr(paired_comparison, "load", lambda folders: [])
        patch.setattr(paired_comparison, "compare", lambda runs: [])
        patch.setattr(comparison_page, "table", lambda runs, pairs: "")
        patch.setattr(
            comparison_page,
            "background",
            lambda runs, folders, data_dir: types.SimpleNamespace(
                images=types.SimpleNamespace(missing=""), read_from=data_dir
            ),
        )
        patch.setattr(comparison_page, "render", lambda runs, pairs, about: str(about.read_from))
        printed(lab, settings, main=compare.main, words=["a", "b"])
    return files(), [path.read_text() for path in pathlib.Path().glob("*.html")]


def examined(lab, settings):
    """Return what the doctor prints of the data."""
    nothing = gpu_checks.Probed(lines=[], end="")
    with lab.monkeypatch.context() as patch:
        patch.setattr(gpu_checks, "run_probe", lambda: nothing)
        text = printed(lab, settings, main=doctor.main)
    return [line for line in text.splitlines() if dataset_paths.DATASET_NAME in line]


def launched(lab, settings):
    """Return how many hosts are started, and how many each is told of."""
    started = []

    def start(flags, *, addresses, index):
        started.append((index, len(addresses)))
        return subprocess.Popen(
            [sys.executable, "-c", ""], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    with lab.monkeypatch.context() as patch:
        patch.setattr(hosts, "start", start)
        printed(lab, settings, main=hosts.main, words=[])
    return started


def other_run(run_dir: pathlib.Path, *, folder: pathlib.Path) -> pathlib.Path:
    """Copy a run, with other weights."""
    shutil.copytree(run_dir, folder)
    with np.load(folder / "best.npz") as best:
        arrays = {name: best[name] * 2 if "kernel" in name else best[name] for name in best}
    np.savez(folder / "best.npz", **arrays)
    return folder


def free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return ports


PORTS = free_ports(2)
TO_A = {"format": "keras", "output_dir": "out/a"}

CASES = {
    "Audit": {
        "output_dir": Case(audited, "audits/b", base="audits/a"),
        "folds": Case(audited, 3),
        "filter_by": Case(audited, "predicted_neq_given"),
        "page_suspects": Case(audited, 2),
    },
    "Sweep": {
        "sweep_dir": Case(swept, "sweep_b", base="sweep_a"),
        "trials": Case(swept, 2),
        "vary": Case(swept, ("dropout",)),
        "prune": Case(swept, False),
    },
    "Evaluation": {
        "model_dir": Case(evaluated, "other_run", base="run", given={"report_dir": "report"}),
        "model_file": Case(judged, "b.onnx", base="a.onnx", given={"adapter": "a.yaml"}),
        "adapter": Case(judged, "b.yaml", base="a.yaml", given={"model_file": "a.onnx"}),
        "predictions": Case(judged, "b.csv", base="a.csv"),
        "data_dir": Case(evaluated, "other_data", given={"config_name": "sample"}),
        "config_name": Case(
            evaluated, "sample_two", base="sample", given={"data_dir": "other_data"}
        ),
        "split": Case(evaluated, "train", given={"report_dir": "report"}),
        "subset": Case(evaluated, "list.txt", given={"report_dir": "report"}),
        "groups": Case(evaluated, "skin", given={"groups_csv": "people.csv"}),
        "groups_csv": Case(evaluated, "people.csv"),
        "least_group": Case(evaluated, 20),
        "report_dir": Case(evaluated, "report"),
        "num_gpus": Case(evaluated, 2),
        "virtual_devices": Case(evaluated, 2, given={"num_gpus": 0}),
    },
    "Export": {
        "model_dir": Case(exported, "other_run", base="run", given=TO_A),
        "format": Case(exported, "savedmodel", base="keras"),
        "quantize": Case(exported, "float16", given={"format": "tflite", "output_dir": "out/a"}),
        "output_dir": Case(exported, "out/b", given={"format": "keras"}),
        "data_dir": Case(exported, "data", given=TO_A),
        "report_dir": Case(
            exported, "report_of_both", given={**TO_A, "model_dir": "run,other_run"}
        ),
    },
    "Predict": {
        "model_dir": Case(predicted, "other_run", base="run"),
        "detector": Case(predicted, "mtcnn", base="none"),
        "min_face": Case(predicted, 25.0, given={"detector": "boxes.csv"}),
        "min_confidence": Case(predicted, 0.6, given={"detector": "boxes.csv"}),
        "batch_size": Case(predicted, 1),
        "num_gpus": Case(predicted, 2, base=0),
        "top_k": Case(predicted, 1),
        "smooth_s": Case(predicted, 0.0),
        "curve": Case(predicted, "curves"),
        "every_s": Case(predicted, 0.5),
        "json": Case(predicted, True),
        "csv": Case(predicted, True),
        "draw": Case(predicted, "drawn"),
        "explain": Case(predicted, "explained"),
    },
    "App": {
        "model_dir": Case(served, "other_run", base="run"),
        "detector": Case(served, "none"),
        "port": Case(served, PORTS[1]),
        "explain": Case(served, True),
    },
    "Baseline": {
        "data_dir": Case(measured, "other_data", base="data", given={"config_name": "sample"}),
        "config_name": Case(
            measured, "sample_two", base="sample", given={"data_dir": "other_data"}
        ),
        "image_size": Case(measured, 8),
        "output": Case(measured, "numbers.json"),
    },
    "Comparison": {
        "data_dir": Case(compared, "other_data"),
        "output": Case(compared, "page.html"),
    },
    "Doctor": {
        "data_dir": Case(examined, "other_data", base="data"),
        "json": Case(examined, True, given={"data_dir": "data"}),
    },
    "Hosts": {"hosts": Case(launched, 3)},
}
