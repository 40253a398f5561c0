"""The hosts that train together, as TF_CONFIG names them.

Owns that variable's rules and its refusals, which need no TensorFlow: its own reading of a bad
TF_CONFIG ends in a traceback, or in one host training by itself. Flags for the same were rejected:
Kubernetes operators set TF_CONFIG.
"""

import dataclasses
import json
import os
from collections.abc import Mapping
from typing import Any

from runtime import errors

VARIABLE = "TF_CONFIG"
_EXAMPLE = '{"cluster": {"worker": ["host-a:2222", "host-b:2222"]}, "task": {"type": "worker", "index": 0}}'
_ROLES = ("chief", "worker")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cluster:
    """All hosts by address, name:port, in the same order everywhere, and which of them this one is."""

    hosts: tuple[str, ...]
    tasks: tuple[tuple[str, str], ...]
    """The hosts by what TensorFlow calls them, ("worker", "0")."""
    index: int

    @property
    def is_chief(self) -> bool:
        """Whether this host writes checkpoints, logs and the report."""
        return self.index == 0

    def name(self, index: int) -> str:
        """Return what messages call a host."""
        return f"host {index} ({self.hosts[index]})"


def from_environment(environment: Mapping[str, str] = os.environ) -> Cluster | None:
    """Return the cluster that TF_CONFIG describes, or None where this host trains by itself.

    Raises:
      errors.UserError: if TF_CONFIG is there and is not one.
    """
    text = environment.get(VARIABLE, "").strip()
    if not text:
        return None
    hosts = _hosts(_mapping(_parsed(text), key="cluster"))
    index = _index(_mapping(_parsed(text), key="task"), hosts=hosts)
    addresses = tuple(address for role in _ROLES for address in hosts.get(role, []))
    twice = sorted({address for address in addresses if addresses.count(address) > 1})
    if twice:
        raise errors.UserError(
            f"{VARIABLE} must name each host once: {', '.join(twice)} is there twice"
        )
    tasks = tuple((role, str(i)) for role in _ROLES for i in range(len(hosts.get(role, []))))
    return Cluster(hosts=addresses, tasks=tasks, index=index) if len(addresses) > 1 else None


def port_of(address: str) -> int:
    """Return the port of an address.

    Raises:
      errors.UserError: if it has none.
    """
    name, _, port = address.rpartition(":")
    if not name or not port.isdecimal() or not 0 < int(port) < 2**16:
        raise errors.UserError(
            f"{VARIABLE} must name hosts as name:port, the port 1 to 65535: got {address!r}"
        )
    return int(port)


def name_of(address: str) -> str:
    """Return the name or the number of the machine in an address."""
    return address.rpartition(":")[0].strip("[]")


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise errors.UserError(
            f"{VARIABLE} is not JSON ({error}); it looks like {_EXAMPLE}"
        ) from None


def _mapping(config: Any, *, key: str) -> Mapping[str, Any]:
    found = config.get(key) if isinstance(config, dict) else None
    if not isinstance(found, dict):
        raise errors.UserError(f'{VARIABLE} must have a "{key}"; it looks like {_EXAMPLE}')
    return found


def _hosts(config: Mapping[str, Any]) -> dict[str, list[str]]:
    others = sorted(set(config) - set(_ROLES))
    if others:
        raise errors.UserError(
            f"{VARIABLE} may have hosts of the types {' and '.join(_ROLES)}: got {', '.join(others)}"
        )
    lists = [addresses for addresses in config.values() if addresses]
    if not lists or not all(
        isinstance(each, list) and all(isinstance(a, str) for a in each) for each in lists
    ):
        raise errors.UserError(
            f"{VARIABLE} must list the addresses of all hosts; it looks like {_EXAMPLE}"
        )
    if len(config.get("chief") or []) > 1:
        raise errors.UserError(f"{VARIABLE} may have one chief: got {', '.join(config['chief'])}")
    for address in (address for each in lists for address in each):
        port_of(address)
    return {role: config[role] for role in _ROLES if config.get(role)}


def _index(task: Mapping[str, Any], *, hosts: Mapping[str, list[str]]) -> int:
    role, given = str(task.get("type")), str(task.get("index"))
    if role not in hosts:
        raise errors.UserError(
            f"{VARIABLE} says that this host is a {role}, and its cluster has {' and '.join(hosts)}"
        )
    number = int(given) if given.isdecimal() else -1
    if not 0 <= number < len(hosts[role]):
        raise errors.UserError(
            f"{VARIABLE} says that this host is {role} {given}, and its cluster has "
            f"{role} 0 to {len(hosts[role]) - 1}: every host needs an index of its own"
        )
    return number + (len(hosts.get("chief", [])) if role == "worker" else 0)
