import json

import pytest

from runtime import errors
from trainer.distributed import tf_config

TWO = ["host-a:2222", "host-b:2223"]
EXAMPLE = (
    '{"cluster": {"worker": ["host-a:2222", "host-b:2222"]}, '
    '"task": {"type": "worker", "index": 0}}'
)


def read(config):
    return tf_config.from_environment(
        {"TF_CONFIG": config if isinstance(config, str) else json.dumps(config)}
    )


def test_without_a_config_or_with_one_host_there_is_no_cluster():
    assert tf_config.from_environment({}) is None
    assert read(" ") is None
    assert read({"cluster": {"worker": TWO[:1]}, "task": {"type": "worker", "index": 0}}) is None


def test_hosts_are_numbered_and_the_first_worker_is_the_chief():
    found = [
        read({"cluster": {"worker": TWO}, "task": {"type": "worker", "index": i}}) for i in (0, 1)
    ]
    assert [each.index for each in found] == [0, 1]
    assert [each.is_chief for each in found] == [True, False]
    assert found[0].name(1) == "host 1 (host-b:2223)"


def test_a_chief_by_name_comes_before_the_workers():
    config = {
        "cluster": {"worker": TWO, "chief": ["[::1]:9"]},
        "task": {"type": "worker", "index": "1"},
    }
    found = read(config)
    assert found.hosts == ("[::1]:9", *TWO)
    assert found.index == 2
    assert found.tasks == (("chief", "0"), ("worker", "0"), ("worker", "1"))
    assert tf_config.name_of(found.hosts[0]) == "::1"


@pytest.mark.parametrize(
    "config, sentence",
    [
        ("{", "TF_CONFIG is not JSON (Expecting property name enclosed in double quotes: line 1 "
              f"column 2 (char 1)); it looks like {EXAMPLE}"),
        ("[]", f'TF_CONFIG must have a "cluster"; it looks like {EXAMPLE}'),
        ({"task": {}}, f'TF_CONFIG must have a "cluster"; it looks like {EXAMPLE}'),
        ({"cluster": {"worker": TWO}}, f'TF_CONFIG must have a "task"; it looks like {EXAMPLE}'),
        ({"cluster": {}, "task": {}},
         f"TF_CONFIG must list the addresses of all hosts; it looks like {EXAMPLE}"),
        ({"cluster": {"worker": "host-a:1"}, "task": {}},
         f"TF_CONFIG must list the addresses of all hosts; it looks like {EXAMPLE}"),
        ({"cluster": {"worker": TWO, "ps": ["c:1"]}, "task": {}},
         "TF_CONFIG may have hosts of the types chief and worker: got ps"),
        ({"cluster": {"chief": TWO}, "task": {}},
         "TF_CONFIG may have one chief: got host-a:2222, host-b:2223"),
        ({"cluster": {"worker": ["host-a"]}, "task": {}},
         "TF_CONFIG must name hosts as name:port, the port 1 to 65535: got 'host-a'"),
        ({"cluster": {"worker": TWO}, "task": {"type": "chief", "index": 0}},
         "TF_CONFIG says that this host is a chief, and its cluster has worker"),
        ({"cluster": {"worker": TWO}, "task": {"type": "worker", "index": 2}},
         "TF_CONFIG says that this host is worker 2, and its cluster has worker 0 to 1: every host "
         "needs an index of its own"),
        ({"cluster": {"worker": [TWO[0], TWO[0]]}, "task": {"type": "worker", "index": 0}},
         "TF_CONFIG must name each host once: host-a:2222 is there twice"),
    ],
)  # fmt: skip
def test_a_bad_config_is_one_sentence(config, sentence):
    with pytest.raises(errors.UserError) as no:
        read(config)
    assert str(no.value) == sentence


@pytest.mark.parametrize(
    "text, reason",
    [("[" * 9000, "it is nested too deeply"), ("9" * 5000, "Exceeds the limit .*: value has 5000")],
)
def test_what_json_cannot_read_is_a_sentence_too(text, reason):
    with pytest.raises(errors.UserError, match=f"TF_CONFIG is not JSON .{reason}"):
        read(text)
