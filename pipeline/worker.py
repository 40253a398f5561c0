"""Beam worker program for machines without containers (--environment_type=PROCESS).

Engines call python -m pipeline.worker with the arguments that they would give to the container's
boot program; it asks the engine for the pipeline's options and becomes Beam's own worker. The
container's boot program also installs packages that a pipeline brings along; here they are
installed beforehand (install_requires in setup.py), so that starting a worker needs no network.
"""

import dataclasses
import os
import sys

import grpc
from apache_beam.portability.api import (
    beam_provision_api_pb2,
    beam_provision_api_pb2_grpc,
    endpoints_pb2,
)
from google.protobuf import json_format, text_format

from runtime import errors, fields, flags

TIMEOUT_SECONDS = 60

ABOUT = "Start a Beam worker on a machine without containers (--environment_type=PROCESS)."


@dataclasses.dataclass(frozen=True, kw_only=True)
class Worker(fields.Checked):
    """Arguments that an engine gives."""

    id: str = fields.field("", "name that the engine gave to this worker", default_text="none")
    provision_endpoint: str = fields.field(
        "", "address from which the worker gets the pipeline's options", default_text="none"
    )
    logging_endpoint: str = fields.field(
        "", "address for log entries", default_text="the provision's"
    )
    control_endpoint: str = fields.field("", "address of the work", default_text="the provision's")

    def __post_init__(self) -> None:
        for name in ("id", "provision_endpoint"):
            if not getattr(self, name):
                raise errors.UserError(f"--{name} must be given, as engines do: got nothing")
        super().__post_init__()


SECTIONS: dict[str, type] = {"Worker": Worker}


def provision(worker_id: str, endpoint: str) -> beam_provision_api_pb2.ProvisionInfo:
    """Ask the engine what the worker is for."""
    with grpc.insecure_channel(endpoint) as channel:
        service = beam_provision_api_pb2_grpc.ProvisionServiceStub(channel)
        request = beam_provision_api_pb2.GetProvisionInfoRequest()
        return service.GetProvisionInfo(
            request, metadata=[("worker_id", worker_id)], timeout=TIMEOUT_SECONDS
        ).info


def environment(
    worker_id: str,
    info: beam_provision_api_pb2.ProvisionInfo,
    *,
    logging: str = "",
    control: str = "",
) -> dict[str, str]:
    """Return the variables that Beam's worker reads (apache_beam/runners/worker/sdk_worker_main.py:
    create_harness).

    Args:
      worker_id: name that the engine gave to the worker.
      info: what the engine said.
      logging: address for log entries, where `info` names none.
      control: address of the work, where `info` names none.
    """
    return {
        "WORKER_ID": worker_id,
        "PIPELINE_OPTIONS": json_format.MessageToJson(info.pipeline_options),
        "RUNNER_CAPABILITIES": " ".join(info.runner_capabilities),
        "LOGGING_API_SERVICE_DESCRIPTOR": _descriptor(info.logging_endpoint.url or logging),
        "CONTROL_API_SERVICE_DESCRIPTOR": _descriptor(info.control_endpoint.url or control),
    }


def _descriptor(url: str) -> str:
    return text_format.MessageToString(endpoints_pb2.ApiServiceDescriptor(url=url))


def main() -> None:
    """Replace this process with Beam's worker."""
    asked = Worker(**flags.given(SECTIONS))
    info = provision(asked.id, asked.provision_endpoint)
    os.environ |= environment(
        asked.id, info, logging=asked.logging_endpoint, control=asked.control_endpoint
    )
    os.execv(sys.executable, [sys.executable, "-m", "apache_beam.runners.worker.sdk_worker_main"])


if __name__ == "__main__":
    flags.define(SECTIONS)
    # Engines give arguments that only the container's boot program needs.
    flags.run_passing_on(lambda _: main(), sections=SECTIONS, about=ABOUT)
