import sys

import pytest

from runtime import malloc


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's malloc only")
def test_glibc_takes_the_setting():
    assert malloc.keep_freed()


def test_another_system_is_left_alone(monkeypatch):
    monkeypatch.setattr(malloc.sys, "platform", "darwin")
    assert not malloc.keep_freed()
