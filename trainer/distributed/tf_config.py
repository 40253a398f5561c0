"""TF_CONFIG: parses and checks the hosts that train together.

Owns the variable's rules and its refusals, which need no TensorFlow: TensorFlow's own reading of a
bad TF_CONFIG ends in a traceback, or in one host training by itself. Flags instead of the variable
were rejected: Kubernetes operators set TF_CONFIG.
"""

import dataclasses
import json
import os
from collections.abc import Mapping
from typing import Any

from runtime import errors, fields

VARIABLE = "TF_CONFIG"
_EXAMPLE = (
    '{"cluster": {"worker": ["host-a:2222", "host-b:2222"]}, '
    '"task": {"type": "worker", "index": 0}}'
)
_ROLES = ("chief", "worker")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cluster:
    """Hosts of a run, in the same order on all of them, and the index of this one."""

    hosts: tuple[str, ...]
    """Their addresses, name:port."""
    tasks: tuple[tuple[str, str], ...]
    """Their names in TensorFlow, ("worker", "0")."""
    index: int

    @property
    def is_chief(self) -> bool:
        """Whether this host writes checkpoints, logs and the report."""
        return self.index == 0

    def name(self, index: int) -> str:
        """Return the name of a host for messages."""
        return f"host {index} ({self.hosts[index]})"


def from_environment(environment: Mapping[str, str] = os.environ) -> Cluster | None:
    """Return the cluster of TF_CONFIG, or None where this host trains by itself.

    Raises:
      errors.UserError: if TF_CONFIG is set and describes no cluster.
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
    if not name or not fields.is_count(port) or not 0 < int(port) < 2**16:
        raise errors.UserError(
            f"{VARIABLE} must name hosts as name:port, the port 1 to 65535: got {address!r}"
        )
    return int(port)


def name_of(address: str) -> str:
    """Return the name or the IP address of the machine in an address."""
    return address.rpartition(":")[0].strip("[]")


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError:
        reason = "it is nested too deeply"
    except ValueError as error:  # Of Python too, for a number of 5,000 digits.
        reason = str(error).partition(";")[0]
    raise errors.UserError(f"{VARIABLE} is not JSON ({reason}); it looks like {_EXAMPLE}")


def _mapping(config: Any, *, key: str) -> Mapping[str, Any]:
    mapping = config.get(key) if isinstance(config, dict) else None
    if not isinstance(mapping, dict):
        raise errors.UserError(f'{VARIABLE} must have a "{key}"; it looks like {_EXAMPLE}')
    return mapping


def _hosts(config: Mapping[str, Any]) -> dict[str, list[str]]:
    others = sorted(set(config) - set(_ROLES))
    if others:
        raise errors.UserError(
            f"{VARIABLE} may have hosts of the types {' and '.join(_ROLES)}: got "
            f"{', '.join(others)}"
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
    index = int(given) if fields.is_count(given) else -1
    if not 0 <= index < len(hosts[role]):
        raise errors.UserError(
            f"{VARIABLE} says that this host is {role} {given}, and its cluster has "
            f"{role} 0 to {len(hosts[role]) - 1}: every host needs an index of its own"
        )
    # The chief, if one is named, comes before the workers.
    if role == "worker":
        return index + len(hosts.get("chief", []))
    return index
