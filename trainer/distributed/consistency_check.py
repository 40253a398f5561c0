"""Consistency check: compares settings, data and devices of all hosts before training.

Owns the comparison and its refusals. A host with other settings or data would train all the same,
and the resulting weights would belong to neither configuration.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from runtime import errors
from trainer.config import run_config
from trainer.distributed import devices as devices_lib
from trainer.distributed import host_channel


def check(
    connection: host_channel.HostChannel,
    *,
    settings: run_config.Config,
    fingerprint: str,
    devices: Sequence[str],
) -> None:
    """Compare settings, data and devices with the other hosts; all come to the same conclusion.

    Args:
      connection: to the other hosts.
      settings: the configuration; those of its settings that change the result are compared.
      fingerprint: of the data.
      devices: names of this host's devices.

    Raises:
      errors.UserError: if hosts differ.
      host_channel.LostHost: if the connection to one is lost.
    """
    own = {
        "settings": _settings(settings),
        "data": fingerprint[:12],
        "replicas": devices_lib.count_text(devices),
    }
    hosts = [json.loads(each) for each in connection.exchange(json.dumps(own).encode())]
    for index, host in enumerate(hosts):
        pair = f"{connection.hosts.name(0)} and {connection.hosts.name(index)}"
        _check_pair(hosts[0], host=host, pair=pair)


def _check_pair(chief: Mapping[str, Any], *, host: Mapping[str, Any], pair: str) -> None:
    if chief["settings"] != host["settings"]:
        of_chief = _flags(chief["settings"], compared_to=host["settings"])
        of_host = _flags(host["settings"], compared_to=chief["settings"])
        raise errors.UserError(
            f"all hosts must be started with the same flags: {pair} have {of_chief} and {of_host}"
        )
    if chief["data"] != host["data"]:
        raise errors.UserError(
            f"all hosts must read the same data: {pair} have the fingerprints {chief['data']} and "
            f"{host['data']}"
        )
    if chief["replicas"] != host["replicas"]:
        raise errors.UserError(
            f"all hosts must have as many devices, see --num_gpus: {pair} have "
            f"{chief['replicas']} and {host['replicas']}"
        )


def _settings(settings: run_config.Config) -> dict[str, str]:
    """Return the settings that change the result and are not at their defaults."""
    differing = run_config.difference(run_config.Config(), new=settings)
    return {name: _text(value) for name, (_, value) in differing.items()}


def _flags(settings: Mapping[str, str], *, compared_to: Mapping[str, str]) -> str:
    """Return the flags of one host that differ from those of another."""
    differing = [
        name
        for name in sorted({*settings, *compared_to})
        if settings.get(name) != compared_to.get(name)
    ]
    return " ".join(f"--{name}={settings.get(name, 'its default')}" for name in differing)


def _text(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)
