"""Nests survive the way through JSON and named tensors."""

import json
from collections import Counter, OrderedDict, deque

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from offline_trainer_core.errors import CheckpointError
from offline_trainer_core.record.codec import Decoder, Encoder
from offline_trainer_core.record.staging import Staging

DTYPES = [
    *(torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2),
    *(torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.uint16, torch.uint32, torch.uint64),
    *(torch.bool, torch.complex64, torch.complex128),
]


def there_and_back(nest, copy: bool = False):
    encoder = Encoder("section", Staging() if copy else None)
    structure = json.loads(json.dumps(encoder.encode(nest), allow_nan=False))
    return Decoder(encoder.tensors).decode(structure)


@st.composite
def tensors(draw):
    dtype = draw(st.sampled_from(DTYPES))
    shape = draw(st.lists(st.integers(0, 3), max_size=3))
    size = torch.empty(shape, dtype=dtype).nbytes
    values = bytes(draw(st.lists(st.integers(0, 1 if dtype is torch.bool else 255), min_size=size, max_size=size)))
    flat = torch.frombuffer(bytearray(values), dtype=dtype) if values else torch.empty(0, dtype=dtype)
    return flat.reshape(shape)


def arrays():
    return tensors().filter(lambda t: t.dtype not in DTYPES[3:6]).map(lambda t: t.numpy())


leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**200), 2**200)
    | st.floats()
    | st.text()
    | st.binary()
    | tensors()
    | arrays()
    | st.floats(width=32).map(np.float32)
    | st.floats().map(np.float64)
)
keys = (
    st.text()
    | st.integers()
    | st.booleans()
    | st.none()
    | st.floats(allow_nan=False)
    | st.tuples(st.integers(), st.text())
)
names = st.text() | st.sampled_from(["$tensor", "$tuple", "$mapping", "__metadata__", "items", "metadata", "a.b", "a"])


def nests():
    def grow(children):
        return (
            st.lists(children, max_size=3)
            | st.lists(children, max_size=3).map(tuple)
            | st.lists(children, max_size=3).map(lambda items: deque(items, maxlen=5))
            | st.dictionaries(names, children, max_size=3)
            | st.dictionaries(keys, children, max_size=3)
            | st.dictionaries(names, children, max_size=3).map(OrderedDict)
            | st.dictionaries(st.integers(), st.integers(), max_size=3).map(Counter)
            | st.sets(st.integers() | st.text(), max_size=3)
        )

    return st.recursive(leaves, grow, max_leaves=12)


@given(nests())
def test_a_nest_comes_back_as_it_was(assert_same, nest):
    assert_same(there_and_back(nest), nest)


def first_bits(tensor: torch.Tensor) -> list[int]:
    return tensor.flatten()[:1].view(torch.uint8).tolist()


@given(tensors(), tensors())
def test_the_comparison_sees_a_difference(assert_same, one, other):
    assume(one.dtype != other.dtype or one.shape != other.shape or first_bits(one) != first_bits(other))
    with pytest.raises(AssertionError):
        assert_same({"a": [one]}, {"a": [other]})


def test_an_array_of_nothing_may_have_any_stride(assert_same):
    nothing = np.broadcast_to(np.uint16(1), (0,))
    assert nothing.strides == (0,)
    assert_same(there_and_back(nothing), nothing)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_scalar_tensor_of_every_type_comes_back(assert_same, dtype):
    tensor = torch.ones((), dtype=torch.uint8).to(dtype)
    assert_same(there_and_back(tensor), tensor)


def test_a_flat_state_keeps_its_names():
    encoder = Encoder("models.policy")
    module = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    encoder.encode(module.state_dict())
    assert list(encoder.tensors) == list(module.state_dict())


def test_the_versions_of_modules_come_back():
    expected = torch.nn.BatchNorm1d(3).state_dict()
    assert there_and_back(expected)._metadata == expected._metadata


@pytest.mark.parametrize("staging", [None, Staging()], ids=["shared", "copied"])
def test_tied_tensors_have_a_name_each_and_stay_tied(staging):
    weight = torch.randn(3, 4)
    nest = {"embed": weight, "head": weight, "row": weight[1], "transposed": weight.t()}
    encoder = Encoder("section", staging)
    structure = encoder.encode(nest)
    assert set(encoder.tensors) == set(nest)
    assert all(torch.equal(encoder.tensors[name], value) for name, value in nest.items())
    decoded = Decoder(encoder.tensors).decode(structure)
    assert decoded["embed"] is decoded["head"]
    assert decoded["embed"] is not decoded["row"]
    assert decoded["transposed"].stride() == (1, 4)


def test_names_that_meet_stay_apart(assert_same):
    nest = {"a": {"b": torch.tensor(1)}, "a.b": torch.tensor(2)}
    assert_same(there_and_back(nest), nest)


@pytest.mark.parametrize(
    "tensor",
    [
        torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
        torch.randn(3, 4).t(),
        torch.randn(4, 3, 2).permute(1, 2, 0),
    ],
    ids=["channels_last", "transposed", "permuted"],
)
def test_dense_tensors_keep_their_memory_format(tensor):
    assert there_and_back(tensor).stride() == tensor.stride()
    assert torch.equal(there_and_back(tensor), tensor)


@pytest.mark.parametrize(
    "tensor", [torch.arange(10)[::3], torch.ones(1).expand(4), torch.randn(3, dtype=torch.complex64).conj()]
)
def test_views_come_back_as_values(tensor):
    assert torch.equal(there_and_back(tensor), tensor)


def test_a_copy_does_not_follow_the_training():
    weight = torch.zeros(3)
    encoders = [Encoder("section", Staging() if copy else None) for copy in (True, False)]
    for encoder in encoders:
        encoder.encode({"weight": weight})
    weight += 1
    assert [encoder.tensors["weight"].sum().item() for encoder in encoders] == [0.0, 3.0]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (object(), "object"),
        (lambda: None, "function"),
        (np.array(["text"]), "ndarray"),
        (torch.eye(2).to_sparse(), "dense"),
        (torch.empty(2, device="meta"), "no values"),
        (torch.nn.UninitializedParameter(), "lazy"),
    ],
)
def test_what_cannot_be_saved_is_named_with_its_place(value, reason):
    with pytest.raises(CheckpointError, match=rf"'callbacks.ema.parts.1'.*{reason}"):
        Encoder("callbacks.ema").encode({"parts": [0, value]})


@pytest.mark.parametrize(
    "structure", [{"$code": "x"}, {"$tensor": "absent"}, {"$mapping": "object", "items": []}, {"$bytes": 3}]
)
def test_a_structure_that_no_encoder_wrote_is_refused(structure):
    with pytest.raises((KeyError, TypeError, ValueError)):
        Decoder({}).decode(structure)
