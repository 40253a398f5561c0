import sys

import pytest

from trainer import memory


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's malloc only")
def test_glibc_takes_the_setting():
    assert memory.keep_freed()


def test_another_system_is_left_alone(monkeypatch):
    monkeypatch.setattr(memory.sys, "platform", "darwin")
    assert not memory.keep_freed()
