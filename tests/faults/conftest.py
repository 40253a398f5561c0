"""Fixtures of the job's tests, for the faults of builds."""

from tests.pipeline.conftest import job_config, small_release

__all__ = ["job_config", "small_release"]
