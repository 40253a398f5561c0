"""What all hosts of a run must have in common, compared before anything is trained.

Owns the comparison and its refusals. A host with other settings or data would train all the same,
and the weights of all would be those of neither.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from runtime import errors
from trainer.config import run_config
from trainer.distributed import host_channel


def check(
    connection: host_channel.HostChannel,
    *,
    settings: run_config.Config,
    fingerprint: str,
    devices: Sequence[str],
) -> None:
    """Compare settings, data and devices with those of the other hosts; all hosts come to the same
    end.

    Args:
      connection: the link to them.
      settings: the configuration; of it, what changes the result.
      fingerprint: of the data.
      devices: names of this host's devices.

    Raises:
      errors.UserError: if hosts differ.
      link.LostHost: if one has gone.
    """
    own = {
        "settings": _settings(settings),
        "data": fingerprint[:12],
        "replicas": _replicas(devices),
    }
    facts = [json.loads(each) for each in connection.exchange(json.dumps(own).encode())]
    for index, other in enumerate(facts):
        pair = f"{connection.hosts.name(0)} and {connection.hosts.name(index)}"
        _check_pair(facts[0], other=other, pair=pair)


def _check_pair(chief: Mapping[str, Any], *, other: Mapping[str, Any], pair: str) -> None:
    if chief["settings"] != other["settings"]:
        was, now = (
            _texts(a, beside=b) for a, b in _both_ways(chief["settings"], other["settings"])
        )
        raise errors.UserError(
            f"all hosts must be started with the same flags: {pair} have {was} and {now}"
        )
    if chief["data"] != other["data"]:
        prints = f"{chief['data']} and {other['data']}"
        raise errors.UserError(
            f"all hosts must read the same data: {pair} have the fingerprints {prints}"
        )
    if chief["replicas"] != other["replicas"]:
        counts = f"{chief['replicas']} and {other['replicas']}"
        raise errors.UserError(
            f"all hosts must have as many devices, see --num_gpus: {pair} have {counts}"
        )


def _settings(settings: run_config.Config) -> dict[str, str]:
    differing = run_config.difference(run_config.Config(), new=settings)
    return {name: _text(value) for name, (_, value) in differing.items()}


def _both_ways(
    a: dict[str, str], b: dict[str, str]
) -> tuple[tuple[dict[str, str], dict[str, str]], ...]:
    return (a, b), (b, a)


def _texts(settings: Mapping[str, str], *, beside: Mapping[str, str]) -> str:
    names = sorted(name for name in {*settings, *beside} if settings.get(name) != beside.get(name))
    return " ".join(f"--{name}={settings.get(name, 'its default')}" for name in names)


def _text(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)


def _replicas(devices: Sequence[str]) -> str:
    kind = "CPU" if devices[0].startswith("/cpu") else "GPU"
    return f"{len(devices)} {kind}{'s' * (len(devices) > 1)}"
