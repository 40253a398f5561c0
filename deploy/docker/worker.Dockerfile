# Image for Beam's workers: a worker's packages only, neither TensorFlow nor the trainer (docs/scaling.md).
#   docker build --file=deploy/docker/worker.Dockerfile --tag=affectnet-faces:worker .
#   python -m pipeline.main … --environment_type=DOCKER --environment_config=affectnet-faces:worker
# PYTHON and BEAM must be the versions of the machine that submits the job. Beam's image starts the worker.
ARG PYTHON=3.12
ARG BEAM=2.75.0
FROM apache/beam_python${PYTHON}_sdk:${BEAM}

WORKDIR /opt/affectnet-faces
COPY setup.py pyproject.toml README.md ./
COPY affectnet_tfds affectnet_tfds
COPY pipeline pipeline
COPY runtime runtime
COPY webpage webpage
ENV AFFECTNET_FACES_FOR_WORKERS=1
RUN pip install --no-cache-dir .
