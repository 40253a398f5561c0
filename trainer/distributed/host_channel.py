"""What hosts say to each other besides gradients: that they are there, what they were told, where
the run stands.

Owns the meeting at the start, and plain TCP connections from the chief to each other host, kept
until the end. TensorFlow's own start was rejected as the meeting: it waits on and on for a missing
host, deaf to Ctrl-C, and does not say which. The chief listens on its own port of TF_CONFIG, which
it then frees for TensorFlow.
"""

import contextlib
import json
import os
import socket
import struct
import time
from collections.abc import Mapping

from runtime import errors
from trainer.distributed import tf_config

_HEADER = struct.Struct("!Q")
_LARGEST_HELLO = 2**20
_RETRY_S = 0.5
_KEEPALIVE = {"TCP_KEEPIDLE": 5, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}
"""A machine that vanishes without a word is noticed after 5 + 3 * 5 seconds."""


class LostHost(Exception):
    """A host went away: nobody's mistake; the same commands again continue the run."""


class HostChannel:
    """Connections to the other hosts: the chief has one to each, the others one to the chief."""

    def __init__(self, hosts: tf_config.Cluster, *, peers: Mapping[int, socket.socket]) -> None:
        self.hosts, self._peers = hosts, peers

    @property
    def is_chief(self) -> bool:
        """Whether this host writes checkpoints, logs and the report."""
        return self.hosts.is_chief

    @property
    def num_hosts(self) -> int:
        return len(self.hosts.hosts)

    def from_chief(self, content: bytes) -> bytes:
        """Return the chief's content on every host; what others give is not looked at.

        Raises:
          LostHost: if a connection breaks.
        """
        if not self.is_chief:
            return self._receive(0)
        for index in self._peers:
            self._send(index, content)
        return content

    def exchange(self, content: bytes) -> list[bytes]:
        """Return every host's content on every host, in the hosts' order.

        Raises:
          LostHost: if a connection breaks.
        """
        if not self.is_chief:
            self._send(0, content)
            return [self._receive(0) for _ in self.hosts.hosts]
        contents = [content, *(self._receive(index) for index in sorted(self._peers))]
        for each in contents:
            self.from_chief(each)
        return contents

    def _send(self, index: int, content: bytes) -> None:
        try:
            _send(self._peers[index], content)
        except OSError as error:
            raise self._lost(index, error) from None

    def _receive(self, index: int) -> bytes:
        try:
            return _receive(self._peers[index])
        except OSError as error:
            raise self._lost(index, error) from None

    def _lost(self, index: int, error: OSError) -> LostHost:
        return LostHost(
            f"{self.hosts.name(index)} has gone ({error.strerror or error}); its own output says why"
        )


def alone() -> HostChannel:
    """Return the link of a host that trains by itself."""
    return HostChannel(
        tf_config.Cluster(hosts=("localhost",), tasks=(("worker", "0"),), index=0), peers={}
    )


def meet(hosts: tf_config.Cluster, *, wait_s: float) -> HostChannel:
    """Wait until all hosts are there.

    Raises: errors.UserError: if they are not after `wait_s` seconds, or were told of other hosts or
      the same place.
    """
    deadline = time.monotonic() + wait_s
    return (
        _receive_others(hosts, deadline=deadline)
        if hosts.is_chief
        else _go_to_chief(hosts, deadline=deadline)
    )


def _receive_others(hosts: tf_config.Cluster, *, deadline: float) -> HostChannel:
    others, peers = range(1, len(hosts.hosts)), dict[int, socket.socket]()
    with _listen(hosts) as door:
        while len(peers) < len(others):
            try:
                door.settimeout(max(deadline - time.monotonic(), 0.01))
                visitor, _ = door.accept()
            except TimeoutError:
                missing = " and ".join(hosts.name(index) for index in others if index not in peers)
                _turn_away(
                    peers,
                    f"{missing} did not come in time: are all hosts started, with one TF_CONFIG each?",
                )
            else:
                _seat(visitor, hosts=hosts, peers=peers)
    _tell(peers, {})
    return HostChannel(hosts, peers=peers)


def _listen(hosts: tf_config.Cluster) -> socket.socket:
    port = tf_config.port_of(hosts.hosts[0])
    try:
        if socket.has_dualstack_ipv6():
            return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
        return socket.create_server(("", port))
    except OSError as error:
        reason = (
            os.strerror(error.errno) if error.errno else error
        )  # Python adds the address to its strerror.
        raise errors.UserError(
            f"{hosts.name(0)} is this host, and its port cannot be listened on ({reason}): end the program "
            f"that has it, or give another port in every host's {tf_config.VARIABLE}"
        ) from None


def _seat(
    visitor: socket.socket, *, hosts: tf_config.Cluster, peers: dict[int, socket.socket]
) -> None:
    """Take in a host that says which one it is; whoever says something else is none of ours."""
    try:
        visitor.settimeout(10)
        hello = json.loads(_receive(visitor, at_most=_LARGEST_HELLO))
        index, listed = int(hello["index"]), tuple(hello["hosts"])
    except (OSError, ValueError, KeyError, TypeError):
        visitor.close()
        return
    everyone = {**peers, -1: visitor}
    if listed != hosts.hosts or not 0 <= index < len(listed):
        said, ours = (
            f"{tf_config.VARIABLE} must list the same hosts everywhere",
            ", ".join(hosts.hosts),
        )
        _turn_away(everyone, f"{said}: host {index} has {', '.join(listed)}, host 0 has {ours}")
    if index == 0 or (index in peers and not _has_gone(peers[index])):
        said = f"two hosts say that they are {hosts.name(index)}"
        _turn_away(
            everyone, f"{said}: {tf_config.VARIABLE} must give every host an index of its own"
        )
    peers[index] = _lasting(visitor)


def _has_gone(peer: socket.socket) -> bool:
    """Whether a host that came has ended since: one that is started again may take its seat."""
    try:
        return not peer.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except OSError as error:
        return not isinstance(error, BlockingIOError)


def _turn_away(peers: Mapping[int, socket.socket], sentence: str) -> None:
    _tell(peers, {"refusal": sentence})
    raise errors.UserError(sentence)


def _tell(peers: Mapping[int, socket.socket], answer: Mapping[str, str]) -> None:
    for peer in peers.values():
        with contextlib.suppress(
            OSError
        ):  # One that has gone is noticed when the link is next used.
            _send(peer, json.dumps(answer).encode())


def _go_to_chief(hosts: tf_config.Cluster, *, deadline: float) -> HostChannel:
    chief = _connect(hosts, deadline=deadline)
    try:
        _send(chief, json.dumps({"index": hosts.index, "hosts": hosts.hosts}).encode())
        answer = json.loads(_receive(chief))
    except OSError:
        raise LostHost(
            f"{hosts.name(0)} has gone while it waited for others; its own output says why"
        ) from None
    if "refusal" in answer:
        raise errors.UserError(answer["refusal"])
    return HostChannel(hosts, peers={0: chief})


def _connect(hosts: tf_config.Cluster, *, deadline: float) -> socket.socket:
    where = (tf_config.name_of(hosts.hosts[0]), tf_config.port_of(hosts.hosts[0]))
    while True:
        try:
            return _lasting(socket.create_connection(where, timeout=10))
        except OSError as error:  # Not there yet, or its name not known yet: Kubernetes names pods when they run.
            if time.monotonic() > deadline:
                raise errors.UserError(
                    f"{hosts.name(0)} could not be reached in time ({error.strerror or error}): is it started, and "
                    f"does every host's {tf_config.VARIABLE} have an address that all can reach?"
                ) from None
            time.sleep(_RETRY_S)


def _lasting(connection: socket.socket) -> socket.socket:
    connection.settimeout(None)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return connection


def _send(connection: socket.socket, content: bytes) -> None:
    connection.sendall(_HEADER.pack(len(content)))
    connection.sendall(content)


def _receive(connection: socket.socket, *, at_most: int = 2**63) -> bytes:
    (length,) = _HEADER.unpack(_exactly(connection, _HEADER.size))
    if length > at_most:
        raise ValueError(f"a message of {length} bytes")
    return _exactly(connection, length)


def _exactly(connection: socket.socket, length: int) -> bytes:
    content = bytearray(length)
    view = memoryview(content)
    while view:
        count = connection.recv_into(view)
        if not count:
            raise ConnectionResetError("connection closed")
        view = view[count:]
    return bytes(content)
