"""Fixtures of the tests on an engine: a release, and the version that a local build makes of it."""

from pathlib import Path

import pytest

from tests.pipeline.beam import engine_builds


@pytest.fixture(scope="module")
def engine_release(tmp_path_factory) -> Path:
    return engine_builds.write_release(tmp_path_factory.mktemp("release"))


@pytest.fixture(scope="module")
def built_locally(engine_release, tmp_path_factory) -> Path:
    return engine_builds.build_locally(engine_release, tmp_path_factory.mktemp("local"))
