"""PyTorch's state dicts, read without PyTorch: files are written here byte by byte."""

import collections
import io
import pickle

import numpy as np
import pytest

from trainer.models import torch_file


class Global:
    """A name that a pickle looks up in a module."""

    def __init__(self, module, name):
        self.module, self.name = module, name


class Call:
    """The result of a call that a pickle makes."""

    def __init__(self, what, *given):
        self.what, self.given = what, given


class Storage(collections.namedtuple("Storage", "kind key count")):
    """What a tensor refers to."""


class Writer(pickle._Pickler):
    """A pickler of names, calls and storages, of which no class has to exist here."""

    dispatch = dict(pickle._Pickler.dispatch)

    def persistent_id(self, obj):
        if isinstance(obj, Storage):
            return ("storage", Global("torch", obj.kind), obj.key, "cpu", obj.count, None)
        return None

    def save_global_name(self, obj):
        self.write(pickle.GLOBAL + f"{obj.module}\n{obj.name}\n".encode())

    def save_call(self, obj):
        self.save(obj.what)
        self.save(obj.given)
        self.write(pickle.REDUCE)

    dispatch[Global] = save_global_name
    dispatch[Call] = save_call


def pickled(value):
    into = io.BytesIO()
    Writer(into, protocol=2).dump(value)
    return into.getvalue()


def tensor(key, array, *, kind="FloatStorage", offset=0, strides=None, count=None):
    count = array.size + offset if count is None else count
    packed = tuple(each // array.itemsize for each in array.strides)
    rebuild = Global("torch._utils", "_rebuild_tensor_v2")
    given = (Storage(kind, key, count), offset, array.shape, strides or packed, False)
    return Call(rebuild, *given, Call(Global("collections", "OrderedDict")))


def written(tensors, storages, *, magic=0x1950A86A20F9469CFC6C):
    parts = [pickled(each) for each in (magic, 1001, {"little_endian": True}, tensors)]
    parts.append(pickled(list(storages)))
    for array in storages.values():
        parts += [array.size.to_bytes(8, "little"), array.tobytes()]
    return b"".join(parts)


A = np.arange(6, dtype=np.float32).reshape(2, 3)
B = np.arange(4, dtype=np.int64)


def test_tensors_are_read_by_name_and_in_order():
    part = A.ravel()[2:5]
    tensors = {
        "b.weight": tensor("2", B, kind="LongStorage"),
        "a.weight": tensor("1", A),
        "a.part": tensor("1", part, offset=2, count=6),
        "a.turned": tensor("1", A.T, count=6),  # As weights of TensorFlow are kept.
        "b.scalar": tensor("2", B[0], kind="LongStorage", count=4),
    }
    found = torch_file.read(written(tensors, {"1": A, "2": B}))
    expected = {"b.weight": B, "a.weight": A, "a.part": part, "a.turned": A.T, "b.scalar": B[0]}
    assert list(found) == list(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype


@pytest.mark.parametrize("what", [("os", "system"), ("builtins", "eval"), ("torch", "load")])
def test_nothing_of_a_file_is_run(what):
    run = Call(Global(*what), "touch nothing")
    with pytest.raises(ValueError, match=f"asks for {what[0]}.{what[1]}"):
        torch_file.read(written({"a": run}, {}))


@pytest.mark.parametrize(
    ("tensors", "storages", "reason"),
    [
        ({"a": tensor("1", A)}, {"1": A[:1]}, "storages are not those of its tensors"),
        ({"a": tensor("1", A)}, {}, "storages are not those of its tensors"),
        ({"a": tensor("1", A)}, {"1": A, "2": B}, "storages are not those of its tensors"),
        ({"a": tensor("1", A, strides=(1, 3))}, {"1": A}, "a tensor reaches beyond its storage"),
        ({"a": tensor("1", A, strides=(-3, 1))}, {"1": A}, "a tensor has no shape"),
        ({"a": tensor("1", A, strides=(3,))}, {"1": A}, "a tensor has no shape"),
        ({"a": tensor("1", A, strides=("3", 1))}, {"1": A}, "a tensor has no shape"),
        ({"a": tensor("1", A, offset=2, count=6)}, {"1": A}, "a tensor reaches beyond its storage"),
        (
            {"a": tensor("1", np.broadcast_to(A[:1, :1], (900, 900)), count=6)},
            {"1": A},
            "a tensor reaches beyond its storage",
        ),
        ({"a": 5}, {}, "something else than tensors"),
        (5, {}, "no state dict"),
    ],
)
def test_what_is_no_state_dict_is_refused(tensors, storages, reason):
    with pytest.raises(ValueError, match=reason):
        torch_file.read(written(tensors, storages))


def test_every_cut_and_every_other_beginning_is_refused():
    whole = written({"a": tensor("1", A)}, {"1": A})
    cut = [whole[:size] for size in range(len(whole))]
    for content in (*cut, b"PK\x03\x04" + whole, whole[1:], pickled(3) + whole):
        with pytest.raises(ValueError):
            torch_file.read(content)
