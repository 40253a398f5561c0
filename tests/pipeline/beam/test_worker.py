"""Workers: installed packages they need, and how one starts without a container."""

import ast
import concurrent.futures
import importlib.metadata
import json
import re
import subprocess
import sys
from pathlib import Path

import grpc
import packaging.requirements
import pytest
from apache_beam.portability.api import beam_provision_api_pb2, beam_provision_api_pb2_grpc
from google.protobuf import json_format

from pipeline import worker

ROOT = Path(__file__).resolve().parents[3]
OF_TRAINER_OR_DRIVER = {
    "tensorflow",
    "tensorflow_datasets",
    "matplotlib",
    "sklearn",
    "rich",
    "jinja2",
}

BEAMS_EXTRAS = {"boto3", "pandas", "pymongo"}
"""Packages that Beam imports wherever they are installed."""

# Hides all installed modules but those named in argv[1], then works as a worker does.
AS_A_WORKER = """
import importlib.abc, json, sys
sys.dont_write_bytecode = True
hidden = set(json.loads(sys.argv[1]))

class Hide(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in hidden:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Hide())
import apache_beam.runners.worker.sdk_worker_main
import pipeline.worker
from pathlib import Path
from affectnet_tfds import face_crop
from pipeline.beam import pipelines, runner
from pipeline.shards import plan, row_example, shard_writer
from pipeline.sources import base
from pipeline.sources.layouts import registry

given = {"layout": "auto", "difficulty": "all", "subsets": ("manual",)}
request = base.Request(**{**dict.fromkeys(base.Request._fields, ""), **given})
release = registry.recognise(Path(sys.argv[2]), request)
geometry = face_crop.Geometry(image_size=32, margin_frac=0.15, align=False)
settings = row_example.ExampleSettings(geometry, "jpeg", soft_labels=False)
here = runner.Runner(num_workers=1)
pipelines.run_survey(release, clean="none", seed=0, staging=Path(sys.argv[3]), options=here)
counts = {"train": {0: 12}, "validation": {0: 2}}
plans = {split: plan.SplitPlan(split, rows, rows, 1) for split, rows in counts.items()}
spec = shard_writer.Spec(release.root, sys.argv[3], settings, seed=0, content={})
pipelines.run_shards(release, plans=plans, spec=spec, drop_duplicates=False, options=here)
print(json.dumps(sorted(sys.modules)))
"""


def required_of_workers() -> list[str]:
    """WORKER of setup.py, which becomes install_requires."""
    tree = ast.parse((ROOT / "setup.py").read_text(encoding="utf-8"))
    assigned = [n for n in ast.walk(tree) if isinstance(n, ast.Assign)]
    values = {n.targets[0].id: n.value for n in assigned if isinstance(n.targets[0], ast.Name)}
    return ast.literal_eval(values["WORKER"])


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def with_all_they_need(requirements: list[str]) -> set[str]:
    """The distributions that installing these brings."""
    found: set[str] = set()
    todo = [packaging.requirements.Requirement(text) for text in requirements]
    while todo:
        wanted = todo.pop()
        applies = not wanted.marker or any(
            wanted.marker.evaluate({"extra": extra}) for extra in ("", *wanted.extras)
        )
        if applies and canonical(wanted.name) not in found:
            found.add(canonical(wanted.name))
            todo += map(
                packaging.requirements.Requirement, importlib.metadata.requires(wanted.name) or []
            )
    return found


def hidden_from_workers(requirements: list[str]) -> list[str]:
    """The installed top-level modules that installing these would not bring."""
    kept = {*with_all_they_need(requirements), "affectnet-faces"}
    of_module = importlib.metadata.packages_distributions()
    return [
        module
        for module, owners in of_module.items()
        if not {canonical(name) for name in owners} & kept
    ]


def work(requirements: list[str], release: Path, staging: Path) -> subprocess.CompletedProcess[str]:
    """Survey a release and write shards, with nothing installed but these and what they need."""
    hidden = json.dumps(hidden_from_workers(requirements))
    arguments = [sys.executable, "-c", AS_A_WORKER, hidden, str(release), str(staging)]
    return subprocess.run(arguments, capture_output=True, text=True, check=False, cwd=ROOT)


@pytest.mark.slow
def test_a_worker_needs_install_requires_and_nothing_else(small_release, tmp_path):
    done = work(required_of_workers(), small_release, tmp_path)
    assert done.returncode == 0, done.stderr
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert {"cv2", "simplejpeg", "apache_beam"} <= loaded
    assert not loaded & OF_TRAINER_OR_DRIVER
    names = [
        "affectnet_faces-train.tfrecord-00000-of-00001",
        "affectnet_faces-validation.tfrecord-00000-of-00001",
    ]
    assert sorted(path.name for path in tmp_path.glob("*-of-00001")) == names


@pytest.mark.slow
@pytest.mark.parametrize("name", ["simplejpeg", "google-crc32c"])
def test_a_worker_without_one_of_them_cannot_work(small_release, tmp_path, name):
    fewer = [text for text in required_of_workers() if not text.startswith(name)]
    done = work(fewer, small_release, tmp_path)
    assert done.returncode and "No module named" in done.stderr


def test_a_worker_loads_nothing_that_it_does_not_use_where_it_is_installed():
    code = "import sys, pipeline.worker, pipeline.beam.pipelines; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert not set(done.stdout.split()) & {*OF_TRAINER_OR_DRIVER, *BEAMS_EXTRAS}


def test_every_requirement_of_workers_is_listed_in_the_docs():
    listed = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")
    names = {packaging.requirements.Requirement(text).name for text in required_of_workers()}
    assert names and {name for name in names if f"| `{name}` |" not in listed} == set()


class Provision(beam_provision_api_pb2_grpc.ProvisionServiceServicer):
    """An engine that tells a worker what it is for."""

    def GetProvisionInfo(self, request, context):  # gRPC's name.
        self.asked_by = dict(context.invocation_metadata())["worker_id"]
        info = beam_provision_api_pb2.ProvisionInfo(runner_capabilities=["beam:a", "beam:b"])
        info.control_endpoint.url = "localhost:4"
        json_format.ParseDict({"beam:option:job_name:v1": "mine"}, info.pipeline_options)
        return beam_provision_api_pb2.GetProvisionInfoResponse(info=info)


def test_a_worker_asks_the_engine_what_it_is_for():
    service = Provision()
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(1))
    beam_provision_api_pb2_grpc.add_ProvisionServiceServicer_to_server(service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    info = worker.provision("worker-7", f"127.0.0.1:{port}")
    server.stop(None)
    assert service.asked_by == "worker-7"
    told = worker.environment("worker-7", info, logging="localhost:3", control="localhost:9")
    assert json.loads(told.pop("PIPELINE_OPTIONS")) == {"beam:option:job_name:v1": "mine"}
    assert told == {
        "WORKER_ID": "worker-7",
        "RUNNER_CAPABILITIES": "beam:a beam:b",
        "LOGGING_API_SERVICE_DESCRIPTOR": 'url: "localhost:3"\n',
        "CONTROL_API_SERVICE_DESCRIPTOR": 'url: "localhost:4"\n',
    }
