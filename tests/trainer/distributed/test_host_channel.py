"""Hosts are threads here: the channel needs sockets, and no TensorFlow."""

import concurrent.futures
import json
import socket
import struct
import threading
import time

import pytest

from runtime import errors
from trainer import hosts
from trainer.config import run_config
from trainer.distributed import consistency_check, host_channel, tf_config


def clusters(count):
    addresses = [f"127.0.0.1:{port}" for port in hosts.free_ports(count)]
    configs = [
        {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": i}}
        for i in range(count)
    ]
    return [tf_config.from_environment({"TF_CONFIG": json.dumps(each)}) for each in configs]


def on_all(call, items):
    """Return what a function gives on each host, all at once, or the exception it raises."""

    def attempt(item):
        try:
            return call(item)
        except Exception as error:
            return error

    with concurrent.futures.ThreadPoolExecutor(len(items)) as pool:
        return list(pool.map(attempt, items))


def meet(each):
    return host_channel.meet(each, wait_s=20)


@pytest.fixture
def three():
    return on_all(meet, clusters(3))


def test_all_hosts_get_what_each_sends(three):
    received = on_all(lambda each: each.exchange(f"I am {each.hosts.index}".encode()), three)
    assert received == [[b"I am 0", b"I am 1", b"I am 2"]] * 3


def test_all_hosts_get_what_the_chief_sends_however_long(three):
    long = bytes(range(256)) * 10_000
    received = on_all(lambda each: each.from_chief(long if each.is_chief else b""), three)
    assert received == [long] * 3


def test_a_lost_host_is_named(three):
    three[1]._peers[0].close()
    found = on_all(lambda each: each.exchange(b""), [three[0]])[0]
    assert isinstance(found, host_channel.LostHost)
    assert str(found).startswith(f"the connection to {three[0].hosts.name(1)} was lost (")


def test_a_single_host_waits_for_no_other():
    assert host_channel.alone().exchange(b"x") == [b"x"]
    assert host_channel.alone().from_chief(b"x") == b"x"
    assert host_channel.alone().is_chief


def test_hosts_that_do_not_connect_are_named_to_those_that_did():
    three = clusters(3)
    found = on_all(lambda each: host_channel.meet(each, wait_s=3), three[:2])
    sentence = (
        f"{three[0].name(2)} did not connect in time: are all hosts started, with one TF_CONFIG "
        "each?"
    )
    assert [str(each) for each in found] == [sentence] * 2
    assert all(isinstance(each, errors.UserError) for each in found)


def test_a_chief_that_cannot_be_reached_is_named():
    two = clusters(2)
    with pytest.raises(errors.UserError) as no:
        host_channel.meet(two[1], wait_s=0.1)
    assert str(no.value) == (
        f"{two[1].name(0)} could not be reached in time (Connection refused): is it started, and "
        "does every host's TF_CONFIG have an address that all can reach?"
    )


def test_a_port_that_is_taken_is_refused():
    two = clusters(2)
    port = tf_config.port_of(two[0].hosts[0])
    with socket.create_server(("127.0.0.1", port)), pytest.raises(errors.UserError) as no:
        host_channel.meet(two[0], wait_s=1)
    assert str(no.value) == (
        f"{two[0].name(0)} is this host, and it cannot listen on port {port} (Address already in "
        "use): end the program that uses it, or give another port in every host's TF_CONFIG"
    )


def test_the_port_is_free_for_tensorflow_while_the_connections_last(three):
    with socket.create_server(("", tf_config.port_of(three[0].hosts.hosts[0]))):
        assert on_all(lambda each: each.exchange(b"y"), three) == [[b"y"] * 3] * 3


def test_two_hosts_of_the_same_index_and_hosts_of_another_cluster_are_refused():
    two, other = clusters(3), clusters(3)
    found = on_all(lambda each: host_channel.meet(each, wait_s=5), [two[0], two[1], two[1]])
    assert {str(each) for each in found if isinstance(each, errors.UserError)} == {
        f"two hosts connected as {two[0].name(1)}: TF_CONFIG must give every host an index of its "
        "own"
    }
    mixed = tf_config.Cluster(
        hosts=(other[0].hosts[0], "elsewhere:1"), tasks=other[0].tasks[:2], index=1
    )
    found = on_all(lambda each: host_channel.meet(each, wait_s=5), [other[0], mixed])
    assert all(
        "TF_CONFIG must list the same hosts everywhere: host 1 has " in str(each) for each in found
    )


def test_a_connection_that_is_no_host_is_closed():
    two, strangers_have_gone = clusters(2), threading.Event()

    def visit(index):
        if index == 1:
            strangers_have_gone.wait(20)  # Once all hosts are there, the port is closed.
        if index < 2:
            return meet(two[index])
        where = ("127.0.0.1", tf_config.port_of(two[0].hosts[0]))
        for content in (b"GET / HTTP/1.1\r\n\r\n", struct.pack("!Q", 2) + b"[]"):
            with host_channel._connect(two[1], deadline=time.monotonic() + 20) as stranger:
                stranger.sendall(content)
        strangers_have_gone.set()
        return where

    links = on_all(visit, [0, 2, 1])
    assert [type(each) for each in links] == [
        host_channel.HostChannel,
        tuple,
        host_channel.HostChannel,
    ]


def agree(connections, settings, fingerprints=("a", "a"), devices=(("/gpu:0",), ("/gpu:0",))):
    def check(i):
        made = run_config.make(settings[i])
        consistency_check.check(
            connections[i], settings=made, fingerprint=fingerprints[i], devices=devices[i]
        )

    return [str(error) if error else None for error in on_all(check, [0, 1])]


def test_hosts_with_other_flags_data_or_devices_are_refused_everywhere():
    connections = on_all(meet, clusters(2))
    pair = f"{connections[0].hosts.name(0)} and {connections[0].hosts.name(1)}"
    assert agree(connections, [{"model_dir": "a"}, {"model_dir": "b"}]) == [None, None]
    sentence = (
        f"all hosts must be started with the same flags: {pair} have --batch_size=64 --seed=its "
        "default and --batch_size=its default --seed=3"
    )
    assert agree(connections, [{"batch_size": 64}, {"seed": 3}]) == [sentence] * 2
    sentence = f"all hosts must read the same data: {pair} have the fingerprints a and b"
    assert agree(connections, [{}, {}], fingerprints=("a", "b")) == [sentence] * 2
    sentence = f"all hosts must have as many devices, see --num_gpus: {pair} have 2 GPUs and 1 CPU"
    assert (
        agree(connections, [{}, {}], devices=(("/gpu:0", "/gpu:1"), ("/cpu:0",))) == [sentence] * 2
    )
