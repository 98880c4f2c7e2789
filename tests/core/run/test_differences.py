"""Every difference between a run and the checkpoint that it goes on from is harmless, other rounding, or a change."""

from __future__ import annotations

from dataclasses import replace

import pytest

from offline_trainer_core.run.differences import code_deviations, config_deviations, environment_deviations

HARMLESS = [
    "run.name=other",
    "run.out_dir=elsewhere",
    "+run.resume_from=auto",
    "run.device=auto",
    "+run.deterministic=true",
    "trainer.max_epochs=9",
    "+trainer.max_steps=9",
    "trainer.log_every_n_steps=7",
    "+trainer.val_every_n_steps=7",
    "data.num_workers=2",
    "+data.pin_memory=true",
    "+loggers=[{_type_: log.csv}]",
    "+metrics=[{_type_: metric.mean_absolute_error}]",
    "+eval={_type_: eval.gymnasium, env: CartPole-v1}",
    "callbacks=[{_type_: cb.progress}, {_type_: cb.ema, decay: 0.9}]",
    "+model.components.policy.init=orthogonal",
    "+model.components.policy.weights=elsewhere.safetensors",
    "+params={width: 3}",
    "+x-notes=anything",
    "+trainer.grad_accum_steps=1",
    "+run.seed=0",
]
ROUNDING = ["+run.compile=true", "+run.strategy=ddp"]
CHANGES = {
    "optimizer.kwargs.lr=0.2": "optimizer.kwargs.lr: 0.1 -> 0.2",
    "optimizer.type=AdamW": "optimizer.type: SGD -> AdamW",
    "+scheduler={_type_: sched_factory.warmup_cosine}": "scheduler: (absent) -> {_type_: sched_factory.warmup_cosine}",
    "+run.seed=1": "run.seed: (absent) -> 1",
    "+run.precision=bf16-mixed": "run.precision: (absent) -> bf16-mixed",
    "data.batch_size=8": "data.batch_size: 4 -> 8",
    "data.dataset.batch_size=8": "data.dataset.batch_size: 4 -> 8",
    "+data.shuffle=false": "data.shuffle: (absent) -> false",
    "+trainer.grad_accum_steps=2": "trainer.grad_accum_steps: (absent) -> 2",
    "+trainer.grad_clip_norm=1": "trainer.grad_clip_norm: (absent) -> 1",
    "+normalize={x: mean_std}": "normalize: (absent) -> {x: mean_std}",
    "loss.fn._type_=nn.L1Loss": "loss.fn._type_: nn.MSELoss -> nn.L1Loss",
    "callbacks[0].decay=0.99": "callbacks[0].decay: 0.9 -> 0.99",
    "callbacks=[]": "callbacks[0]: {_type_: cb.ema, decay: 0.9} -> (absent)",
    "+model.components.policy.freeze=true": "model.components.policy.freeze: (absent) -> true",
    "model.components.policy.sequential.layers[0].out_features=4": (
        "model.components.policy.sequential.layers[0].out_features: 2 -> 4"
    ),
}


@pytest.mark.parametrize("override", HARMLESS)
def test_what_cannot_change_a_bit_of_the_weights_is_harmless(subject, override) -> None:
    assert list(config_deviations(subject(), subject(override))) == []
    assert list(config_deviations(subject(override), subject())) == []


@pytest.mark.parametrize("override", ROUNDING)
def test_what_computes_the_same_in_another_way_is_rounding(subject, override) -> None:
    (deviation,) = config_deviations(subject(), subject(override))
    assert deviation.effect == "rounding"


@pytest.mark.parametrize(("override", "said"), CHANGES.items())
def test_everything_else_changes_the_training_and_is_said_with_both_values(subject, override, said) -> None:
    (deviation,) = config_deviations(subject(), subject(override))
    assert (str(deviation), deviation.effect) == (said, "training")


def test_a_component_that_nobody_knows_changes_the_training(subject) -> None:
    unknown = subject("callbacks=[{_type_: cb.gone.elsewhere}, {_type_: cb.ema, decay: 0.9}]")
    assert [str(d) for d in config_deviations(unknown, subject())] == [
        "callbacks[0]: {_type_: cb.gone.elsewhere} -> (absent)"
    ]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (("distributions", "ot-builtins", {"version": "9.0", "code": None}), "ot-builtins: 0.1.0 -> 9.0"),
        (("local", "extensions", "xxh3:2"), "extensions: the code that it was -> other code"),
        (
            ("entries", "loss", {"key": "loss.torch", "distribution": "other", "reference": "a:B"}),
            "loss: ot_builtins.losses:TorchLoss of ot-builtins -> a:B of other",
        ),
    ],
)
def test_other_code_of_the_same_components_changes_the_training(subject, changed, said) -> None:
    now = subject()
    plan = {**now.names.plan.to_json(), "local": {"extensions": "xxh3:1"}}
    part, name, value = changed
    plan["distributions"]["ot-builtins"] = {"version": "0.1.0", "code": None}
    after = {**plan, part: {**plan[part], name: value}}
    assert [str(deviation) for deviation in code_deviations(plan, after, now)] == [said]
    assert list(code_deviations(plan, plan, now)) == []


def test_a_package_of_which_only_loggers_are_used_may_change(subject) -> None:
    now = subject("loggers=[{_type_: log.csv}]")
    for path in ("loggers[0]", "loss"):
        entries = dict(now.names.plan.entries)
        entries[path] = replace(entries[path], distribution="elsewhere")
        now.names.plan = now.names.plan._replace(entries=entries)
        plans = [{"distributions": {"elsewhere": {"version": version, "code": None}}} for version in ("1", "2")]
        assert len(list(code_deviations(*plans, now))) == (path == "loss")


def test_an_environment_is_compared_by_what_both_tell() -> None:
    before = {"torch": "2.12.0", "threads": 1}
    assert list(environment_deviations(before, {"torch": "2.13.0", "threads": 1, "device": "cpu"})) == [
        "torch 2.13.0 instead of 2.12.0"
    ]
    assert list(environment_deviations(before, before)) == []
