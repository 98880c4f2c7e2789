"""What ends a run before it begins shows no secret, and what ends it later waits for what is being saved."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from offline_trainer_core.distributed import OneProcess  # noqa: E402
from offline_trainer_core.errors import CheckpointError, DeviceError, UsageError  # noqa: E402
from offline_trainer_core.record import RunFolder  # noqa: E402
from offline_trainer_core.run.checked import checked  # noqa: E402
from offline_trainer_core.run.opening import Wish, open_run, recorded  # noqa: E402

CONFIGURATION = {
    "schema_version": 1,
    "run": {"name": "small", "out_dir": "runs", "device": "cpu"},
    "model": {
        "sequential": {"inputs": ["x"], "layers": [{"_type_": "nn.Linear", "in_features": 3, "out_features": 2}]}
    },
    "data": {"_type_": "data.random_regression", "x_shape": [3], "y_shape": [2]},
    "io": {"_type_": "io.mapping", "model_kwargs": {"x": "x"}, "targets": {"y": "y"}},
    "loss": {"_type_": "loss.torch", "fn": "MSELoss"},
    "optimizer": {"_type_": "optim_factory.torch", "type": "SGD"},
    "trainer": {"_type_": "trainer.default", "max_steps": 1},
}
SECRET = "canary-in-a-folder"


def opened(out_dir: str):
    resolved, registry, report = checked(CONFIGURATION, [f"run.out_dir={out_dir}"])
    return open_run(resolved, registry, report.plan, OneProcess(), Wish()), report.plan


def test_a_folder_that_cannot_be_created_does_not_show_the_secret_in_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STORE_TOKEN", SECRET)
    Path(SECRET).write_text("a file where the folder should be")
    messages = []
    for out_dir in ("${env:STORE_TOKEN}/runs", f"{SECRET}/runs"):
        with pytest.raises(UsageError, match="cannot be created") as refused, opened(out_dir)[0]:
            pytest.fail("the folder was created")
        messages.append(str(refused.value))
        monkeypatch.delenv("STORE_TOKEN", raising=False)
    assert SECRET not in messages[0]
    assert "***/small" in messages[0]
    assert SECRET in messages[1], "without the variable it is no secret"


@pytest.fixture
def failing(tmp_path):
    """Return what ends a run, after `prepare` was called with its folder."""

    def fail(prepare) -> Exception:
        opening, plan = opened(str(tmp_path))
        with opening as (folder, info):
            prepare(folder)
            with pytest.raises(RuntimeError, match="shelf") as failed, recorded(folder, info, plan):
                raise RuntimeError("shelf")
        return failed.value

    return fail


def save(folder: RunFolder) -> None:
    large = {"models.policy": {"w": torch.ones(1 << 24)}}
    folder.checkpoints.save("step_1", large, counters={"global_step": 1}, asynchronous=True)


def test_a_run_that_fails_waits_for_the_checkpoint_that_is_being_written(failing, tmp_path):
    notes = failing(save).__notes__
    assert notes == ["checkpoint step_1 is saved: once the cause is removed, --resume goes on from there"]
    assert RunFolder(tmp_path / "small").checkpoints.latest() == "step_1"


def test_a_checkpoint_that_could_not_be_written_is_said_besides(failing, tmp_path):
    def save_in_vain(folder: RunFolder) -> None:
        (folder.dir / "checkpoints").write_text("a file where the folder should be")
        save(folder)

    [note] = failing(save_in_vain).__notes__
    assert note.startswith("cannot save checkpoint 'step_1'")


def test_a_worker_of_a_loader_that_is_killed_during_a_save_is_said_and_not_the_save(tmp_path):
    opening, plan = opened(str(tmp_path))
    killed = RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. ")
    message = r"^a worker of the data loader \(process 7\) was killed"
    with opening as (folder, info), pytest.raises(DeviceError, match=message), recorded(folder, info, plan):
        raise CheckpointError("cannot save") from killed
    opening, plan = opened(str(tmp_path / "other"))
    with opening as (folder, info), pytest.raises(CheckpointError, match="cannot save"), recorded(folder, info, plan):
        raise CheckpointError("cannot save") from RuntimeError("something else")


def test_without_a_checkpoint_nothing_is_promised(failing):
    assert failing(lambda folder: None).__notes__ == []
