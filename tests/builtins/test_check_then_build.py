"""What the check lets through is not refused for what an annotation tells; and what is right is let through."""

from __future__ import annotations

import re
import warnings
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from offline_trainer_core import ComponentError, OfflineTrainerError, Registry, build_registry, build_spec
from offline_trainer_core.catalogue import Entry
from offline_trainer_core.config import resolve_config
from offline_trainer_core.plan import check_config_tree
from offline_trainer_core.signature import Form, Named, Object, Signature, forms, read_signature, read_type

OURS = ("ot-builtins", "ot-policy-constructor", "ot-imitation", "ot-offline-rl", "ot-example-plugins")
NOT_SPECS = ("op", "frontend", "optim_cls", "sched_cls")
"""Called with tensors, with a registry, or by a factory."""
SPECS = {"policy": {"_type_": "policy.random"}, "model": {"_type_": "nn.ReLU"}}
WRONG = [None, True, "text", "3", 3, -1, 0, 2.5, 2.0, float("nan"), float("inf"), [1], [], ["a"], {"a": 1}]

ALLOWED: dict[str, str] = {
    "data.episodes": r"chunked names .* not among the fields",
    "data.examples.demonstrations": r"leave none to train on",
    "data.tensors": r"steps_per_epoch says how many",
    "metric.torchmetrics": r"no metric|torchmetrics|TypeError|sync_on_compute",
    "optim_factory.torch": r"param_groups\[",
    "sched_factory.torch": r"'interval: metric' and 'monitor' go together|reacts to a metric|reads no metric",
    "trainer.default": r"needs max_epochs or max_steps|cannot both be over 1",
    **dict.fromkeys(("block.mlp", "block.mixture_of_experts"), r"only the input may be null|'top_k'"),
    **dict.fromkeys(
        ("block.categorical_head", "block.deterministic_head", "block.mixture_head", "block.tanh_gaussian_head"),
        r"'action_shape' is \[A\]|'low' .* 'high'|'log_std_bounds'",
    ),
    "block.gaussian_head": r"'action_shape' is \[A\]|'log_std_bounds'",
    "block.conv_bn_act": r"divisible by groups",
    **dict.fromkeys(("block.positions", "block.time_embedding"), r"even 'dim'|'min_period'"),
    "block.temporal_unet": r"even 'dim'|'kernel_size' is odd|'groups' divides|'widths' needs",
    "block.token_fusion": r"at least one source",
    **dict.fromkeys(("block.transformer_encoder", "block.transformer_decoder"), r"'heads'|even"),
    "block.vision_transformer": r"'heads'|even|'patch_size'|'image_size'",
    "algo.td3_bc": r"no field .* in a transition",
    "loss.torch": r"mask_path needs a loss whose reduction",
}
"""Refusals that an annotation cannot tell, by component: what must agree between arguments, or lies outside."""

TYPE_ERRORS = r"TypeError|AttributeError"
UNTOLD = r"RNNBase|nn.MultiheadAttention|nn.Upsample"
"""Layers that torch declares as `(*args, **kwargs)`, without annotations, or with annotations that are too wide."""


def components(*, kinds: tuple[str, ...] = (), but: tuple[str, ...] = ()) -> list[Entry]:
    return [
        entry
        for entry in build_registry().entries()
        if entry.distribution in OURS
        and (entry.kind in kinds if kinds else entry.kind not in but)
        and not entry.missing_extras()
    ]


SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "int": st.integers(-2, 8),
    "float": st.floats(-2, 4, allow_nan=False, width=16) | st.integers(-1, 2),
    "bool": st.booleans(),
    "str": st.sampled_from(["val", "a.b", "observation"]),
    "path": st.just("file.npz"),
}


def values(form: Form, registry: Registry) -> st.SearchStrategy[Any]:
    """Return values that a form lets through, and for numbers also some that lie outside their bounds."""
    match form:
        case forms.Scalar():
            return SCALARS[form.name]
        case forms.Null():
            return st.none()
        case forms.Choice():
            return st.sampled_from(form.values)
        case forms.Bounded():
            return values(form.inner, registry)
        case Named():
            names = [key.removeprefix(f"{form.kind}.") for key in registry.keys(form.kind)]
            return st.sampled_from([name for name in names if form.admits(name)])
        case forms.Listing():
            return st.lists(values(form.item, registry), max_size=3)
        case forms.Row():
            return st.tuples(*(values(item, registry) for item in form.items)).map(list)
        case forms.Pairs():
            return st.dictionaries(st.sampled_from(["a", "b"]), values(form.item, registry), max_size=2)
        case forms.Union():
            return st.one_of([values(member, registry) for member in form.forms])
        case Object():
            return st.just(SPECS.get(next(iter(form.kinds or ()), ""), {"_type_": "nn.MSELoss"}))
        case _:
            return st.sampled_from([None, 1, "a"])


@st.composite
def arguments(draw: st.DrawFn, signature: Signature, registry: Registry, given_first: int = 0) -> dict[str, Any]:
    """Draw arguments that are right but for one or two slips, or altogether."""
    drawn: dict[str, Any] = {}
    for parameter in signature.parameters[given_first:]:
        untold = not parameter.annotation or draw(st.booleans())
        if parameter.kind.startswith("var_") or (parameter.has_default and untold):
            continue
        form = read_type(parameter.annotation, module=parameter.module)
        drawn[parameter.name] = draw(values(form, registry))
    for _ in range(draw(st.integers(0, 2))):
        slip, name = draw(st.sampled_from(["wrong", "missing", "unknown"])), draw(st.sampled_from([*drawn, "other"]))
        if slip == "missing":
            drawn.pop(name, None)
        elif name in drawn or slip == "unknown":
            drawn[name] = draw(st.sampled_from(WRONG))
    return drawn


def passes(spec: dict[str, Any], registry: Registry) -> bool:
    """Return whether the check finds nothing wrong with `spec`."""
    config = resolve_config({"schema_version": 1, "data": {"_type_": "data.any", "part": spec}})
    report = check_config_tree(config, registry)
    return not [problem for problem in report.errors if problem.config_path.startswith("data.part")]


class Anything:
    """Holds whatever it is given."""

    def __init__(self, **parts: Any) -> None: ...


@pytest.fixture(scope="module")
def registry() -> Registry:
    known = build_registry()
    known.register_module("data.any", Anything)
    return known


def refusal(spec: dict[str, Any], registry: Registry) -> str | None:
    """Return what building `spec` is refused with, or None."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            built = build_spec(spec, registry=registry, path="part")
            if spec["_type_"] == "optim_factory.torch":
                built.build(nn.Linear(2, 1), registry=registry)
            elif spec["_type_"] == "sched_factory.torch":
                built.build(torch.optim.SGD(nn.Linear(2, 1).parameters(), momentum=0.5), registry=registry)
    except OfflineTrainerError as error:
        return str(error)
    return None


def sweep(count: int) -> Any:
    return settings(
        max_examples=count,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much],
    )


@pytest.mark.parametrize("entry", components(but=(*NOT_SPECS, "nn")), ids=lambda entry: entry.key)
def test_what_passes_the_check_is_built(entry: Entry, registry: Registry) -> None:
    signature = read_signature(entry.reference)
    assert signature is not None

    @sweep(25)
    @given(arguments(signature, registry))
    def try_arguments(drawn: dict[str, Any]) -> None:
        spec = {"_type_": entry.key, **drawn}
        if passes(spec, registry):
            refused = refusal(spec, registry)
            allowed = ALLOWED.get(entry.key)
            assert refused is None or (allowed and re.search(allowed, refused)), (drawn, refused)

    try_arguments()


@pytest.mark.parametrize("entry", components(kinds=("nn", "optim_cls", "sched_cls")), ids=lambda entry: entry.key)
def test_torch_finds_no_wrong_type_in_what_passes(entry: Entry, registry: Registry) -> None:
    """Torch's annotations have no bounds, so that a value may be refused; a type may not."""
    signature = read_signature(entry.reference)
    assert signature is not None
    factory = {"optim_cls": "optim_factory.torch", "sched_cls": "sched_factory.torch"}.get(entry.kind)

    @sweep(5)
    @given(arguments(signature, registry, given_first=1 if factory else 0))
    def try_arguments(drawn: dict[str, Any]) -> None:
        spec = {"_type_": entry.key, **drawn}
        if factory:
            spec = {"_type_": factory, "type": entry.name, "kwargs": drawn}
        if passes(spec, registry):
            refused = refusal(spec, registry)
            assert refused is None or not re.search(TYPE_ERRORS, refused) or re.search(UNTOLD, refused), (
                drawn,
                refused,
            )

    try_arguments()


@pytest.mark.parametrize("entry", components(kinds=("nn",)), ids=lambda entry: entry.key)
def test_every_layer_that_is_advertised_is_a_module(entry: Entry) -> None:
    assert issubclass(entry.load(), nn.Module)


def test_a_refusal_that_the_check_lets_through_would_be_noticed(registry: Registry) -> None:
    unbounded = {"_type_": "trainer.default", "grad_accum_steps": 2, "optim_steps_per_batch": 2, "max_epochs": 1}
    assert passes(unbounded, registry)
    assert "cannot both be over 1" in str(refusal(unbounded, registry))
    with pytest.raises(ComponentError):
        build_spec(unbounded, registry=registry)
    assert not passes({"_type_": "trainer.default", "max_epochs": 0}, registry)
