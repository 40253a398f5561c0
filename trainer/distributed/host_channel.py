"""Control channel between hosts: rendezvous, config comparison, checkpoint broadcast (plain TCP).

Owns the rendezvous at the start, and connections from the chief to each other host, kept until the
end. TensorFlow's own start was rejected as the rendezvous: it waits without limit for a missing
host, ignores Ctrl-C, and does not name the host. The chief listens on its own port of TF_CONFIG,
which it then frees for TensorFlow.
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
"""A machine that vanishes without closing its connections is noticed after 5 + 3 * 5 seconds."""


class LostHost(Exception):
    """Connection to a host was lost; the same commands again continue the run."""


class HostChannel:
    """Connections to the other hosts: the chief has one to each, the others one to the chief."""

    def __init__(self, hosts: tf_config.Cluster, *, peers: Mapping[int, socket.socket]) -> None:
        self.hosts = hosts
        self._peers = peers

    @property
    def is_chief(self) -> bool:
        """Whether this host writes checkpoints, logs and the report."""
        return self.hosts.is_chief

    @property
    def num_hosts(self) -> int:
        """Number of hosts, this one among them."""
        return len(self.hosts.hosts)

    def from_chief(self, content: bytes) -> bytes:
        """Return the chief's content on every host; that of the others is ignored.

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
            f"the connection to {self.hosts.name(index)} was lost ({error.strerror or error}); the "
            "output of that host says why"
        )


def alone() -> HostChannel:
    """Return the channel of a host that trains by itself."""
    hosts = tf_config.Cluster(hosts=("localhost",), tasks=(("worker", "0"),), index=0)
    return HostChannel(hosts, peers={})


def meet(hosts: tf_config.Cluster, *, wait_s: float) -> HostChannel:
    """Wait until all hosts are connected.

    Raises:
      errors.UserError: if they are not after `wait_s` seconds, or their TF_CONFIG list different
        hosts or the same index twice.
    """
    deadline = time.monotonic() + wait_s
    if hosts.is_chief:
        return _accept_others(hosts, deadline=deadline)
    return _join_chief(hosts, deadline=deadline)


def _accept_others(hosts: tf_config.Cluster, *, deadline: float) -> HostChannel:
    others = range(1, len(hosts.hosts))
    peers: dict[int, socket.socket] = {}
    with _listen(hosts) as listener:
        while len(peers) < len(others):
            try:
                listener.settimeout(max(deadline - time.monotonic(), 0.01))
                connection, _ = listener.accept()
            except TimeoutError:
                missing = " and ".join(hosts.name(index) for index in others if index not in peers)
                _refuse(
                    peers,
                    f"{missing} did not connect in time: are all hosts started, with one "
                    f"{tf_config.VARIABLE} each?",
                )
            else:
                _register(connection, hosts=hosts, peers=peers)
    # Once all are connected: an earlier answer would let a host train while another is refused.
    _answer(peers, {})
    return HostChannel(hosts, peers=peers)


def _listen(hosts: tf_config.Cluster) -> socket.socket:
    port = tf_config.port_of(hosts.hosts[0])
    try:
        if socket.has_dualstack_ipv6():
            return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
        return socket.create_server(("", port))
    except OSError as error:
        # Not error.strerror, to which Python adds the address.
        reason = os.strerror(error.errno) if error.errno else error
        raise errors.UserError(
            f"{hosts.name(0)} is this host, and it cannot listen on port {port} ({reason}): end "
            "the program that uses it, or give another port in every host's "
            f"{tf_config.VARIABLE}"
        ) from None


def _register(
    connection: socket.socket, *, hosts: tf_config.Cluster, peers: dict[int, socket.socket]
) -> None:
    """Add a host that sends its index and its list of hosts; close any other connection."""
    try:
        connection.settimeout(10)
        hello = json.loads(_receive(connection, at_most=_LARGEST_HELLO))
        index = int(hello["index"])
        listed = tuple(hello["hosts"])
    except (OSError, ValueError, KeyError, TypeError):
        connection.close()
        return
    everyone = {**peers, -1: connection}
    if listed != hosts.hosts or not 0 <= index < len(listed):
        _refuse(
            everyone,
            f"{tf_config.VARIABLE} must list the same hosts everywhere: host {index} has "
            f"{', '.join(listed)}, host 0 has {', '.join(hosts.hosts)}",
        )
    if index == 0 or (index in peers and not _is_closed(peers[index])):
        _refuse(
            everyone,
            f"two hosts connected as {hosts.name(index)}: {tf_config.VARIABLE} must give every "
            "host an index of its own",
        )
    peers[index] = _keep_alive(connection)


def _is_closed(peer: socket.socket) -> bool:
    """Return whether a connected host has ended since: one that is started again replaces it."""
    try:
        return not peer.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except OSError as error:
        return not isinstance(error, BlockingIOError)


def _refuse(peers: Mapping[int, socket.socket], sentence: str) -> None:
    _answer(peers, {"refusal": sentence})
    raise errors.UserError(sentence)


def _answer(peers: Mapping[int, socket.socket], answer: Mapping[str, str]) -> None:
    for peer in peers.values():
        # A lost host is noticed when the channel is next used.
        with contextlib.suppress(OSError):
            _send(peer, json.dumps(answer).encode())


def _join_chief(hosts: tf_config.Cluster, *, deadline: float) -> HostChannel:
    chief = _connect(hosts, deadline=deadline)
    try:
        _send(chief, json.dumps({"index": hosts.index, "hosts": hosts.hosts}).encode())
        answer = json.loads(_receive(chief))
    except OSError:
        raise LostHost(
            f"the connection to {hosts.name(0)} was lost while it waited for others; the output of "
            "that host says why"
        ) from None
    if "refusal" in answer:
        raise errors.UserError(answer["refusal"])
    return HostChannel(hosts, peers={0: chief})


def _connect(hosts: tf_config.Cluster, *, deadline: float) -> socket.socket:
    address = (tf_config.name_of(hosts.hosts[0]), tf_config.port_of(hosts.hosts[0]))
    while True:
        try:
            return _keep_alive(socket.create_connection(address, timeout=10))
        except OSError as error:
            # Names are retried too: Kubernetes gives a pod its name when it runs.
            if time.monotonic() > deadline:
                raise errors.UserError(
                    f"{hosts.name(0)} could not be reached in time ({error.strerror or error}): is "
                    f"it started, and does every host's {tf_config.VARIABLE} have an address that "
                    "all can reach?"
                ) from None
            time.sleep(_RETRY_S)


def _keep_alive(connection: socket.socket) -> socket.socket:
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
