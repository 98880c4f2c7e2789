"""What is looked at is what training would begin with, and looking leaves nothing behind."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import save_file

from offline_trainer_core import ComponentError, DataError, UsageError, run, specimen

ROWS = 64


@pytest.fixture
def experiment(tmp_path, monkeypatch):
    """A camera that is frozen and a lazy head, which only a real batch can shape."""
    monkeypatch.chdir(tmp_path)
    rows = np.random.default_rng(0).normal(3.0, 2.0, size=(ROWS, 5)).astype("float32")
    np.savez(tmp_path / "demonstrations.npz", observation=rows, action=rows[:, :2] * 2)
    return {
        "schema_version": 1,
        "run": {"name": "small", "out_dir": "runs", "device": "cpu", "seed": 3},
        "data": {"_type_": "data.tensors", "data": "demonstrations.npz", "batch_size": 16,
                 "fields": {"observation": "observation", "action": "action"}},
        "normalize": {"observation": "mean_std", "action": "min_max"},
        "model": {"components": {
            "policy": {"sequential": {"inputs": ["observation"], "layers": [
                {"_type_": "block.mlp", "dims": [None, 8, 2]}
            ]}, "init": "zeros"},
            "teacher": {"sequential": {"inputs": ["observation"], "layers": [
                {"_type_": "nn.Linear", "in_features": 5, "out_features": 2}
            ]}, "freeze": True},
        }},
        "algorithm": {"_type_": "algo.supervised", "model": "policy"},
        "io": {"_type_": "io.mapping", "model_kwargs": {"observation": "observation"}, "targets": {"action": "action"}},
        "loss": {"_type_": "loss.torch", "fn": "MSELoss"},
        "optimizer": {"_type_": "optim_factory.torch", "type": "SGD", "kwargs": {"lr": 0.1}},
        "trainer": {"_type_": "trainer.default", "max_steps": 2},
        "loggers": [{"_type_": "log.jsonl", "path": "metrics-of-mine.jsonl"}],
    }  # fmt: skip


def test_models_have_their_shapes_their_weights_and_are_frozen(experiment, tmp_path):
    weights = {"0.weight": torch.randn(2, 5), "0.bias": torch.randn(2)}
    save_file(weights, tmp_path / "teacher.safetensors")
    experiment["model"]["components"]["teacher"]["weights"] = "teacher.safetensors"
    models = specimen(experiment).models
    assert [tuple(p.shape) for p in models["policy"].parameters()] == [(8, 5), (8,), (2, 8), (2,)]
    assert all(not p.any() for p in models["policy"].parameters())
    assert all(torch.equal(value, weights[name]) for name, value in models["teacher"].state_dict().items())
    trained = {name: any(p.requires_grad for p in model.parameters()) for name, model in models.items()}
    assert trained == {"policy": True, "teacher": False}
    assert models["policy"].training
    assert not models["teacher"].training


def test_the_batch_is_real_and_comes_raw_and_normalized(experiment, tmp_path):
    seen = specimen(experiment)
    recorded = torch.from_numpy(np.load(tmp_path / "demonstrations.npz")["observation"])
    rows = seen.raw_batch["observation"]
    assert rows.shape == (16, 5)
    assert all((recorded == row).all(dim=1).any() for row in rows)
    expected = (rows - recorded.mean(0)) / recorded.std(0, correction=0)
    torch.testing.assert_close(seen.batch["observation"], expected, rtol=1e-4, atol=1e-4)
    assert seen.batch["action"].abs().max() <= 1.0 + 1e-6 < seen.raw_batch["action"].abs().max()


def test_the_algorithm_is_ready_and_calls_these_very_models(experiment):
    seen = specimen(experiment)
    called = []
    seen.models["policy"].register_forward_hook(lambda *_: called.append("policy"))
    logs, outputs, _ = seen.algorithm.validate(seen.batch)
    assert called == ["policy"]
    assert not outputs.any()
    assert logs["loss"].item() == pytest.approx(float(seen.batch["action"].square().mean()))


def test_the_weights_are_those_with_which_training_begins(experiment):
    del experiment["model"]["components"]["policy"]["init"]
    seen = specimen(experiment)
    experiment["optimizer"]["kwargs"]["lr"] = 0.0  # so that the last weights are the first ones
    (saved,) = (run(experiment).dir / "checkpoints").glob("step*")
    experiment["model"]["components"]["policy"]["weights"] = str(saved)
    trained = specimen(experiment, ["run.seed=4"])
    for name, value in seen.models["policy"].state_dict().items():
        assert torch.equal(value, trained.models["policy"].state_dict()[name])
    other = specimen(experiment, ["run.seed=4", "~model.components.policy.weights"])
    assert not torch.equal(next(seen.models["policy"].parameters()), next(other.models["policy"].parameters()))


def test_overrides_apply(experiment):
    assert len(specimen(experiment, ["data.batch_size=4"]).raw_batch["observation"]) == 4


def test_nothing_is_trained_or_written(experiment, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    seen = specimen(experiment)
    assert sorted(tmp_path.rglob("*")) == before
    assert all(p.grad is None for p in seen.models["policy"].parameters())


def test_a_run_folder_stands_for_what_it_recorded(experiment, tmp_path):
    folder = run(experiment).dir
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    seen = specimen(folder)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    assert torch.equal(seen.batch["observation"], specimen(experiment).batch["observation"])


def test_a_folder_without_a_configuration_is_no_run(tmp_path):
    with pytest.raises(UsageError, match=r"is no run folder: it has no config\.yaml"):
        specimen(tmp_path)


def test_data_that_is_not_there_is_named(experiment, tmp_path):
    (tmp_path / "demonstrations.npz").unlink()
    with pytest.raises(DataError, match=r"demonstrations\.npz"):
        specimen(experiment)


def test_a_batch_that_does_not_fit_is_said_of_the_component_that_could_not_take_it(experiment):
    layers = experiment["model"]["components"]["policy"]["sequential"]["layers"]
    layers.append({"_type_": "nn.Linear", "in_features": 7, "out_features": 2})
    with pytest.raises(ComponentError, match=r"nn\.Linear .* failed, at") as raised:
        specimen(experiment)
    assert "mat1 and mat2" in str(raised.value.__cause__)


def test_a_file_is_read_like_a_mapping(experiment, tmp_path):
    file = tmp_path / "experiment.yaml"
    file.write_text(yaml.safe_dump(experiment))
    assert torch.equal(specimen(file).batch["action"], specimen(experiment).batch["action"])
