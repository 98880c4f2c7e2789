"""A registry finds entries, explains what it cannot find, and takes local code."""

from __future__ import annotations

from pathlib import Path

import pytest

from offline_trainer_core.catalogue import Entry, Registry
from offline_trainer_core.catalogue.local import import_local_module
from offline_trainer_core.errors import ComponentError
from offline_trainer_core.installed import BrokenDistribution

KNOWN = Registry(
    [
        Entry("loss.huber", "a:Huber", "ot-a", "1"),
        Entry("loss.mse", "a:Mse", "ot-a", "1"),
        Entry("block.mlp", "b:Mlp", "ot-b", "1"),
    ],
    broken=[BrokenDistribution("ot-bad", "no METADATA")],
)


class Mine:
    """A component of local code."""


def test_keys_are_sorted_and_can_be_of_one_kind() -> None:
    assert KNOWN.list_modules() == ["block.mlp", "loss.huber", "loss.mse"]
    assert KNOWN.keys("loss") == ["loss.huber", "loss.mse"]
    assert KNOWN.keys("los") == []


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("loss.hubr", "loss.huber"), ("loss.Huber", "loss.huber"), ("model.mlp", "block.mlp"), ("mlp", "block.mlp")],
)
def test_a_misspelled_key_finds_what_was_meant(typed: str, meant: str) -> None:
    assert KNOWN.suggest(typed) == meant


def test_a_key_like_no_other_finds_nothing() -> None:
    assert KNOWN.suggest("zzz.qqqqqq") is None


def test_an_unknown_key_lists_its_kind_and_what_could_not_be_read() -> None:
    with pytest.raises(ComponentError) as caught:
        KNOWN.find("loss.hubr")
    message = str(caught.value)
    assert "did you mean 'loss.huber'?" in message
    assert "loss.huber, loss.mse" in message
    assert "ot-bad: no METADATA" in message


def test_a_registered_object_is_its_own_target() -> None:
    registry = Registry()
    registry.register_module("loss.mine", Mine, tags=["x"])
    entry = registry.get_module("loss.mine")
    assert entry.target is Mine
    assert entry.reference == f"{Mine.__module__}:Mine"
    assert (entry.label, entry.tags) == ("local code", ("x",))


def test_a_registered_string_is_imported_when_it_is_used() -> None:
    registry = Registry()
    registry.register_module("loss.decimal", "decimal:Decimal", signature_policy="best_effort")
    assert registry.find("loss.decimal").target.__name__ == "Decimal"
    assert registry.find("loss.decimal").signature_policy == "best_effort"


def test_an_operation_is_registered_under_its_kind() -> None:
    registry = Registry()
    registry.register_op("twice", "operator:mul")
    assert registry.keys("op") == ["op.twice"]


def test_local_code_cannot_take_a_key_twice() -> None:
    registry = Registry()
    registry.register_module("loss.mine", Mine)
    with pytest.raises(ComponentError, match="registered twice"):
        registry.register_module("loss.mine", Mine)


def test_local_code_beside_an_installed_component_is_a_collision() -> None:
    registry = Registry([Entry("loss.mine", "a:Mine", "ot-a", "1")])
    registry.register_module("loss.mine", Mine)
    with pytest.raises(ComponentError, match=r"loss\.mine@local or loss\.mine@ot-a"):
        registry.find("loss.mine")
    assert registry.find("loss.mine@local").target is Mine


def test_a_key_without_a_kind_is_refused() -> None:
    with pytest.raises(ComponentError, match=r"<kind>\.<name>"):
        Registry().register_module("mine", Mine)


def test_what_is_registered_takes_the_place_of_what_was_read_from_source() -> None:
    read = Entry("loss.mine", "mine:Mine", origin="local")
    registry = Registry().with_local([read])
    registry.register_module("loss.mine", Mine)
    assert registry.find("loss.mine").target is Mine
    assert registry.with_local([read]).find("loss.mine").target is Mine


def test_a_hook_plugin_is_constructed() -> None:
    registry = Registry(plugins=[Entry("counter", "collections:Counter", "ot-a", "1")])
    assert registry.plugin("counter") == {}
    with pytest.raises(ComponentError, match="no hook plugin 'count' is installed; there are: counter"):
        registry.plugin("count")


def test_a_local_module_registers_its_components(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    source = "class Mine: pass\ndef register(registry): registry.register_module('loss.mine', Mine)\n"
    (tmp_path / "local_losses_a.py").write_text(source)
    registry = Registry()
    import_local_module("local_losses_a", str(tmp_path), registry)
    assert registry.find("loss.mine").target.__name__ == "Mine"


@pytest.mark.parametrize(
    ("name", "source", "message"),
    [
        ("local_losses_b", "x = 1", "has no register"),
        ("local_losses_c", "raise ValueError('bad')", "cannot be imported: bad"),
        ("local_losses_d", "def register(registry): raise ValueError('bad')", "failed: bad"),
    ],
)
def test_a_local_module_that_fails_says_how(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, source: str, message: str
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / f"{name}.py").write_text(source)
    with pytest.raises(ComponentError, match=message):
        import_local_module(name, str(tmp_path), Registry())
