"""Local server: it listens on this machine only, and a port in use is an error in one sentence."""

import errno
import socket

import pytest

from runtime import errors
from trainer.demo import local_server


def test_it_listens_on_this_machine_only_and_a_port_in_use_is_refused():
    with local_server.listen(0) as listener:
        host, port = listener.getsockname()
        assert host == "127.0.0.1" and port > 0
        with pytest.raises(errors.UserError) as refused:
            local_server.listen(port)
    assert str(refused.value) == (
        f"port {port} is in use on 127.0.0.1: name another with --port, "
        "or --port=0 for any that is free"
    )


def test_a_port_that_this_user_may_not_listen_on_is_refused_with_the_reason(monkeypatch):
    class Forbidden(socket.socket):
        def bind(self, address):
            raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(local_server.socket, "socket", Forbidden)
    with pytest.raises(
        errors.UserError,
        match=r"cannot listen on port 80 of 127.0.0.1 \(Permission denied\): name another",
    ):
        local_server.listen(80)
