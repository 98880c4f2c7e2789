from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
import torchmetrics
from torch import Tensor

from offline_trainer_core.errors import ComponentError, DataError
from offline_trainer_core.record import CheckpointStore
from ot_builtins.metrics import Accuracy, MeanAbsoluteError, MeanSquaredError, TorchMetrics

SIZES = (8, 8, 3)


def batches(seed: int = 0) -> list[dict[str, Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    return [
        {
            "prediction": torch.randn(size, 5, 2, generator=generator),
            "target": torch.randn(size, 5, 2, generator=generator),
            "is_pad": torch.rand(size, 5, generator=generator) < 0.3,
        }
        for size in SIZES
    ]


def updated(metric: Any, seen: list[dict[str, Tensor]]) -> Any:
    for batch in seen:
        metric.update(outputs=batch["prediction"], targets={"y": batch["target"]}, batch=batch, stage="val")
    return metric


def joined(seen: list[dict[str, Tensor]], name: str) -> Tensor:
    values = torch.cat([batch[name] for batch in seen])
    return values.double() if values.is_floating_point() else values


@pytest.mark.parametrize(("metric", "power", "name"), [(MeanAbsoluteError, 1, "mae"), (MeanSquaredError, 2, "mse")])
@pytest.mark.parametrize("masked", [False, True])
def test_an_error_is_the_mean_over_all_elements_that_count(metric: Any, power: int, name: str, masked: bool) -> None:
    seen = batches()
    errors = (joined(seen, "prediction") - joined(seen, "target")).abs() ** power
    expected = errors[~joined(seen, "is_pad")].mean() if masked else errors.mean()
    found = updated(metric(mask_path="is_pad" if masked else None), seen).compute()
    torch.testing.assert_close(found, {name: expected}, rtol=1e-6, atol=0)
    of_batches = torch.stack([((b["prediction"] - b["target"]).abs() ** power).mean() for b in seen]).mean().double()
    assert found[name] != pytest.approx(float(of_batches), rel=1e-6)


@pytest.mark.parametrize("shape", [(), (5,)])
def test_accuracy_counts_the_highest_score(shape: tuple[int, ...]) -> None:
    scores, classes = torch.randn(50, 4, *shape), torch.randint(4, (50, *shape))
    metric = Accuracy()
    metric.update(outputs=scores, targets=classes, batch=None, stage="val")
    right = sum(
        int(row[:, k].argmax() == labels[k])
        for row, labels in zip(scores.view(50, 4, -1), classes.view(50, -1), strict=True)
        for k in range(labels.numel())
    )
    assert metric.compute()["accuracy"] == right / classes.numel()


def test_a_reset_begins_again() -> None:
    metric = updated(MeanAbsoluteError(), batches(1))
    metric.reset()
    assert updated(metric, batches()).compute() == updated(MeanAbsoluteError(), batches()).compute()
    assert updated(MeanAbsoluteError(), batches()).compute() != updated(MeanAbsoluteError(), batches(1)).compute()


class Threads:
    """Collectives between threads that each stand for a process."""

    def __init__(self, count: int) -> None:
        self.parts: list[Tensor] = []
        self.barrier = threading.Barrier(count)

    def all_reduce_sum(self, tensor: Tensor) -> Tensor:
        self.parts.append(tensor)
        self.barrier.wait(timeout=30)
        return torch.stack(self.parts).sum(0)


@pytest.mark.parametrize("mask_path", [None, "is_pad"])
def test_processes_with_unequal_shares_agree_on_the_mean_over_all(mask_path: str | None) -> None:
    seen = batches()
    whole = updated(MeanSquaredError(mask_path=mask_path), seen).compute()
    shares = [updated(MeanSquaredError(mask_path=mask_path), share) for share in (seen[:2], seen[2:], [])]
    collectives = Threads(3)
    threads = [threading.Thread(target=share.reduce, args=(collectives,)) for share in shares]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for share in shares:
        torch.testing.assert_close(share.compute(), whole)
    assert updated(MeanSquaredError(mask_path=mask_path), seen[:2]).compute() != whole


def test_paths_and_names_are_those_that_were_asked_for() -> None:
    metric = MeanAbsoluteError(name="wrist", pred_path="a.0", target_path="t", stages=("train", "val"))
    metric.update(outputs={"a": [torch.ones(2)], "b": 0}, targets={"t": torch.zeros(2), "u": 0}, batch={}, stage="val")
    assert metric.compute() == {"wrist": 1.0}
    assert metric.stages == ("train", "val")


@pytest.mark.parametrize(
    ("metric", "prediction", "target", "message"),
    [
        (MeanAbsoluteError(), torch.zeros(4, 1), torch.zeros(4), r"mae: the output is \(4, 1\) and the target \(4,\)"),
        (Accuracy(), torch.zeros(4), torch.zeros(4), r"accuracy: the scores are \(4,\) and the classes \(4,\)"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(metric: Any, prediction: Tensor, target: Tensor, message: str) -> None:
    with pytest.raises(DataError, match=message):
        metric.update(outputs=prediction, targets=target, batch=None, stage="val")


def test_a_metric_of_torchmetrics_gives_its_own_value() -> None:
    seen = batches()
    found = updated(TorchMetrics("MeanSquaredError", {"squared": False}, name="rmse"), seen)
    reference = torchmetrics.MeanSquaredError(squared=False)
    for batch in seen:
        reference.update(batch["prediction"], batch["target"])
    found.reduce(None)
    assert found.compute() == {"rmse": reference.compute()}
    found.reset()
    assert updated(found, batches(1)).compute() != {"rmse": reference.compute()}


def test_a_metric_with_several_numbers_gives_one_for_each() -> None:
    metric = TorchMetrics("Accuracy", {"task": "multiclass", "num_classes": 3, "average": "none"})
    metric.update(outputs=torch.eye(3), targets=torch.tensor([0, 1, 1]), batch=None, stage="val")
    assert metric.compute() == {"Accuracy_0": 1.0, "Accuracy_1": 0.5, "Accuracy_2": 0.0}


def test_a_metric_of_torchmetrics_that_cannot_be_built_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ComponentError, match=r"no metric 'R2score'; did you mean 'R2Score'"):
        TorchMetrics("R2score")
    with pytest.raises(ComponentError, match=r"R2Score: .*adjustd"):
        TorchMetrics("R2Score", {"adjustd": 1})
    monkeypatch.setitem(sys.modules, "torchmetrics", None)
    with pytest.raises(ComponentError, match=r"pip install 'ot-builtins\[torchmetrics\]'"):
        TorchMetrics("R2Score")


SAVED = {
    "mse": lambda: MeanSquaredError(),
    "mse with padding": lambda: MeanSquaredError(mask_path="is_pad"),
    "sums": lambda: TorchMetrics("MeanSquaredError"),
    "lists of batches": lambda: TorchMetrics("CatMetric"),
    "a metric of metrics": lambda: TorchMetrics("MinMaxMetric", {"base_metric": torchmetrics.MeanSquaredError()}),
}


@pytest.mark.parametrize("kind", SAVED)
def test_a_metric_that_is_saved_between_two_batches_goes_on_where_it_was(tmp_path: Path, kind: str) -> None:
    def update(metric: Any, seen: list[dict[str, Tensor]]) -> Any:
        if kind == "lists of batches":
            for batch in seen:
                metric._metric.update(batch["prediction"])
            return metric
        return updated(metric, seen)

    seen, store = batches(), CheckpointStore(tmp_path)
    whole, half, rest, fresh = (SAVED[kind]() for _ in range(4))
    store.save("half", {"train_metrics.mine": update(half, seen[:2]).state_dict()}, counters={})
    rest.load_state_dict(store.load("half").state["train_metrics.mine"])
    results = [update(metric, part).compute() for metric, part in ((whole, seen), (rest, seen[2:]), (fresh, seen[2:]))]
    expected, found, without = (torch.stack([torch.as_tensor(v).sum() for v in r.values()]) for r in results)
    assert torch.equal(found, expected)
    assert not torch.equal(without, expected)
