"""Weights to start from are found in whatever holds them."""

import pytest
import safetensors.torch
import torch
from torch import nn

from offline_trainer_core.errors import CheckpointError
from offline_trainer_core.record import load_weights


@pytest.fixture
def weights():
    return nn.Linear(3, 2).state_dict()


class Trap:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_a_safetensors_file(tmp_path, weights, assert_same):
    safetensors.torch.save_file(weights, tmp_path / "w.safetensors")
    loaded = load_weights(tmp_path / "w.safetensors")
    assert_same({name: loaded[name] for name in weights}, dict(weights))
    assert len(loaded) == len(weights)


@pytest.mark.parametrize("wrap", [dict, lambda w: {"state_dict": dict(w), "epoch": 3}], ids=["bare", "lightning"])
def test_an_old_torch_file(tmp_path, weights, assert_same, wrap):
    torch.save(wrap(weights), tmp_path / "w.pt")
    assert_same(load_weights(str(tmp_path / "w.pt")), dict(weights))


def test_a_checkpoint_of_one_model(store, weights, assert_same):
    path = store.save("step_1", {"models.policy": weights, "counters": {}}, counters={})
    assert_same(load_weights(path), dict(weights))
    assert_same(load_weights(path, "named_otherwise"), dict(weights))


def test_a_checkpoint_of_several_models(store, weights, assert_same):
    other = nn.Linear(3, 2).state_dict()
    path = store.save("step_1", {"models.actor": weights, "models.critic": other}, counters={})
    assert_same(load_weights(path, "actor"), dict(weights))
    assert_same(load_weights(path, "critic"), dict(other))
    for component in (None, "policy"):
        with pytest.raises(CheckpointError, match="actor, critic"):
            load_weights(path, component)


def test_channels_last_weights_keep_their_memory_format(store, assert_same):
    weights = nn.Conv2d(2, 4, 3).to(memory_format=torch.channels_last).state_dict()
    path = store.save("step_1", {"models.policy": weights}, counters={})
    assert_same(load_weights(path), dict(weights))


def test_a_pickle_that_runs_code_is_not_loaded(tmp_path):
    torch.save({"w": torch.ones(1), "x": Trap(tmp_path / "opened")}, tmp_path / "w.pt")
    with pytest.raises(CheckpointError, match="never loaded"):
        load_weights(tmp_path / "w.pt")
    assert not (tmp_path / "opened").exists()
    torch.load(tmp_path / "w.pt", weights_only=False)["x"].close()
    assert (tmp_path / "opened").exists()


@pytest.mark.parametrize("name", ["w.safetensors", "w.pt"])
@pytest.mark.parametrize("content", [b"", b"not weights", b"\x00" * 100])
def test_a_file_that_holds_no_weights_is_named(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=name):
        load_weights(tmp_path / name)


@pytest.mark.parametrize("content", [[torch.ones(1)], {"w": torch.ones(1), "epoch": 3}, torch.ones(1)])
def test_a_torch_file_of_something_else_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "w.pt")
    with pytest.raises(CheckpointError, match=r"w\.pt"):
        load_weights(tmp_path / "w.pt")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"no weights at .*absent\.safetensors"):
        load_weights(tmp_path / "absent.safetensors")


def test_a_damaged_checkpoint_gives_no_weights(store, weights):
    path = store.save("step_1", {"models.policy": weights}, counters={})
    file = path / "models.policy.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"\x7f")
    with pytest.raises(CheckpointError, match=r"models\.policy\.safetensors"):
        load_weights(path)
