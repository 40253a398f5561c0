# Image for training; the CUDA libraries come with TensorFlow (extra gpu), the driver is the machine's.
#   docker build --file=deploy/docker/train.Dockerfile --tag=affectnet-faces:train .
#   docker run --gpus=all --shm-size=8g affectnet-faces:train                  the checks of trainer.doctor
#   docker run --gpus=all --shm-size=8g --volume=/data:/data affectnet-faces:train \
#     trainer.main --data_dir=/data/tensorflow_datasets --model_dir=/data/runs/first --num_gpus=4
# deploy/kubernetes/train.yaml starts bash in it instead.
ARG PYTHON=3.12
FROM python:${PYTHON}-slim

WORKDIR /opt/affectnet-faces
COPY setup.py pyproject.toml README.md ./
COPY docs docs
COPY affectnet_tfds affectnet_tfds
COPY pipeline pipeline
COPY runtime runtime
COPY synthetic_faces synthetic_faces
COPY trainer trainer
COPY webpage webpage
RUN pip install --no-cache-dir '.[gpu,sweep,export]'

# Outside the source, so that the installed package is used; not root, so that files on a volume are a user's.
RUN useradd --create-home affectnet
USER affectnet
WORKDIR /home/affectnet
ENTRYPOINT ["python", "-m"]
CMD ["trainer.doctor"]
