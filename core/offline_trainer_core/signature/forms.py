"""What annotations let through, as data: each form says which plain values fit it, and which components."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from offline_trainer_core.errors import UNKNOWN

__all__ = [
    "INFERRED",
    "KINDS",
    "OBJECTS",
    "Bounded",
    "Choice",
    "Fits",
    "Form",
    "Listing",
    "Named",
    "Null",
    "Object",
    "Pairs",
    "Record",
    "Row",
    "Scalar",
    "Union",
]

Fits = bool | None
"""None: the annotation, or the value, is beyond what can be told."""

Part = tuple[str | int, "Form", Any]

INFERRED: Any = type("Inferred", (), {"__repr__": lambda self: "null"})()
"""Stands for a null that is a dimension to be inferred from the first batch."""

MODULES = ("model", "nn", "block")
KINDS: Mapping[str, tuple[str, ...] | None] = {
    "Algorithm": ("algo",),
    "DataModule": ("data",),
    "Evaluation": ("eval",),
    "Exporter": ("export",),
    "IO": ("io",),
    "Launcher": ("launcher",),
    "Loader": None,
    "Logger": ("log",),
    "Loss": ("loss",),
    "Metric": ("metric",),
    "OptimizerFactory": ("optim_factory",),
    "Policy": ("policy",),
    "SchedulerFactory": ("sched_factory",),
    "Stateful": None,
    "Step": None,
    "Strategy": ("strategy",),
    "Trainer": ("trainer",),
}
"""The kinds of components that fulfil each protocol of the core; None: any component may."""
OBJECTS: Mapping[str, tuple[str, ...] | None] = {
    **{f"{home}.{name}": kinds for home in ("offline_trainer_core", "offline_trainer_core.protocols")
       for name, kinds in KINDS.items()},
    **dict.fromkeys(("torch.nn.Module", "torch.nn.modules.Module", "torch.nn.modules.module.Module"), MODULES),
    **dict.fromkeys(("collections.abc.Callable", "typing.Callable", "builtins.type", "typing.Type")),
    **dict.fromkeys(("torch.Tensor", "torch.Size", "torch.dtype"), ()),
    **dict.fromkeys(("torch.optim.Optimizer", "torch.optim.optimizer.Optimizer"), ()),
}  # fmt: skip
"""Classes that no plain value is an instance of, and the kinds of components that make one."""
KNOWN_KINDS = {"cb", *(kind for kinds in OBJECTS.values() for kind in kinds or ())}

TRUTH_WORDS = {"true": "true", "yes": "true", "on": "true", "false": "false", "no": "false", "off": "false"}


class Form:
    """What an annotation lets through; of itself, anything. `text` is how people read it."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return self.text

    def fits(self, value: Any) -> Fits:
        """Return whether `value`, plain or a spec, may stand here."""
        if value is UNKNOWN:
            return None
        kind = kind_of(value)
        return self.admits(value) if kind is None else self.admits_component(kind)

    def admits(self, value: Any) -> Fits:
        """Return whether a plain value may stand here."""
        return None

    def admits_component(self, kind: str) -> Fits:
        """Return whether what a component of `kind` makes may stand here."""
        return None

    def members(self) -> Iterator[Form]:
        """Yield the alternatives, of which there is one unless this is a union."""
        yield self

    def parts(self, value: Any) -> list[Part]:
        """Return key, form and item for each part of a collection of the right shape."""
        return []

    def instead(self, value: Any) -> str | None:
        """Return the YAML that was probably meant by a value that does not fit."""
        return None


class Data(Form):
    """Plain data alone: no component makes it."""

    def admits_component(self, kind: str) -> Fits:
        return False if kind else None


class Null(Data):
    """Nothing at all."""

    def __init__(self) -> None:
        super().__init__("null")

    def admits(self, value: Any) -> Fits:
        return value is None or value is INFERRED


class Scalar(Data):
    """One of int, float, bool, str and path. A bool is no number, a number no bool, a path is written as a string."""

    def __init__(self, text: str, name: Literal["int", "float", "bool", "str", "path"]) -> None:
        super().__init__(text)
        self.name = name

    def admits(self, value: Any) -> Fits:
        if value is INFERRED:
            return self.name == "int"
        if self.name == "float":
            return isinstance(value, (int, float)) and not isinstance(value, bool)
        return type(value) is {"int": int, "bool": bool}.get(self.name, str)

    def instead(self, value: Any) -> str | None:
        if self.name == "bool":
            return TRUTH_WORDS.get(str(value).lower(), {0: "false", 1: "true"}.get(value) if _is_int(value) else None)
        if self.name == "int" and isinstance(value, float) and value.is_integer():
            return str(int(value))
        if self.name in ("int", "float") and isinstance(value, str):
            return value if self.admits(number_in(value)) else None
        return f"'{value}'" if self.name in ("str", "path") and _is_int(value) else None


class Choice(Data):
    """A `Literal`, or the values of an `Enum`."""

    def __init__(self, text: str, values: tuple[Any, ...]) -> None:
        super().__init__(text)
        self.values = values

    def admits(self, value: Any) -> Fits:
        return any(type(value) is type(choice) and value == choice for choice in self.values)


class Bounded(Form):
    """Numbers within bounds: a list of (`ge`, `gt`, `le` or `lt`, limit)."""

    def __init__(self, text: str, inner: Form, bounds: tuple[tuple[str, float], ...]) -> None:
        super().__init__(text)
        self.inner = inner
        self.bounds = bounds

    def admits(self, value: Any) -> Fits:
        whole = self.inner.admits(value)
        if whole is False or isinstance(value, bool) or not isinstance(value, (int, float)):
            return whole
        return whole if all(_within(value, name, limit) for name, limit in self.bounds) else False

    def admits_component(self, kind: str) -> Fits:
        return self.inner.admits_component(kind)

    def instead(self, value: Any) -> str | None:
        meant = self.inner.instead(value)
        return meant if meant is not None and self.admits(number_in(meant)) else None


class Named(Form):
    """The name of an installed component of `kind`; `args` and `kwargs` name the parameters that hold its arguments."""

    def __init__(self, text: str, inner: Form, kind: str = "", args: str = "", kwargs: str = "") -> None:
        super().__init__(text)
        self.inner = inner
        self.kind = kind
        self.args = args
        self.kwargs = kwargs

    def admits(self, value: Any) -> Fits:
        return self.inner.admits(value)

    def admits_component(self, kind: str) -> Fits:
        return self.inner.admits_component(kind)

    def instead(self, value: Any) -> str | None:
        return self.inner.instead(value)


class Collection(Form):
    """A list or a mapping, of which a component of a known kind is neither."""

    def admits_component(self, kind: str) -> Fits:
        return False if kind in KNOWN_KINDS and self.holds_data else None

    @property
    def holds_data(self) -> bool:
        """Whether it is a collection of plain values, and not of whatever there is."""
        return True

    def has_shape(self, value: Any) -> bool:
        """Return whether `value` is such a collection, whatever is in it."""
        raise NotImplementedError

    def admits(self, value: Any) -> Fits:
        if not self.has_shape(value):
            return False
        verdicts = [form.fits(item) for _, form, item in self.parts(value)]
        return False if False in verdicts else None if None in verdicts else True


class Listing(Collection):
    """A list of any length, whatever Python makes of it. A bare string is none: its letters are seldom meant."""

    def __init__(self, text: str, item: Form) -> None:
        super().__init__(text)
        self.item = item

    @property
    def holds_data(self) -> bool:
        return isinstance(self.item, (Data, Bounded))

    def has_shape(self, value: Any) -> bool:
        return isinstance(value, list)

    def parts(self, value: Any) -> list[Part]:
        return [(index, self.item, item) for index, item in enumerate(value)] if self.has_shape(value) else []

    def instead(self, value: Any) -> str | None:
        return f"[{value}]" if isinstance(value, str) and self.item.admits(value) is True else None


class Row(Collection):
    """A tuple of a certain length, written as a list."""

    def __init__(self, text: str, items: tuple[Form, ...]) -> None:
        super().__init__(text)
        self.items = items

    def has_shape(self, value: Any) -> bool:
        return isinstance(value, list) and len(value) == len(self.items)

    def parts(self, value: Any) -> list[Part]:
        pairs = zip(self.items, value, strict=True) if self.has_shape(value) else ()
        return [(index, form, item) for index, (form, item) in enumerate(pairs)]


class Pairs(Collection):
    """A mapping; its keys are strings, since those of a configuration are."""

    def __init__(self, text: str, key: Form, item: Form) -> None:
        super().__init__(text)
        self.key = key
        self.item = item

    @property
    def holds_data(self) -> bool:
        return isinstance(self.item, (Data, Bounded))

    def has_shape(self, value: Any) -> bool:
        return isinstance(value, dict) and not any(
            isinstance(self.key, Choice) and not self.key.admits(k) for k in value
        )

    def parts(self, value: Any) -> list[Part]:
        return [(key, self.item, item) for key, item in value.items()] if self.has_shape(value) else []


class Record(Collection):
    """A `TypedDict`: its fields, each with whether it must be there."""

    def __init__(self, text: str, fields: tuple[tuple[str, Form, bool], ...]) -> None:
        super().__init__(text)
        self.fields = fields

    def has_shape(self, value: Any) -> bool:
        known = {name for name, _, _ in self.fields}
        required = {name for name, _, needed in self.fields if needed}
        return isinstance(value, dict) and required <= value.keys() <= known

    def parts(self, value: Any) -> list[Part]:
        forms = {name: form for name, form, _ in self.fields}
        return [(key, forms[key], item) for key, item in value.items()] if self.has_shape(value) else []


class Object(Form):
    """An instance of a class that plain data never is; `kinds` make one, or any component where that is None."""

    def __init__(self, text: str, kinds: tuple[str, ...] | None) -> None:
        super().__init__(text)
        self.kinds = kinds

    def admits(self, value: Any) -> Fits:
        return False

    def admits_component(self, kind: str) -> Fits:
        return kind in self.kinds if self.kinds is not None and kind in KNOWN_KINDS else None


class Union(Form):
    """One of several forms."""

    def __init__(self, text: str, forms: tuple[Form, ...]) -> None:
        super().__init__(text)
        self.forms = forms

    def members(self) -> Iterator[Form]:
        for form in self.forms:
            yield from form.members()

    def fits(self, value: Any) -> Fits:
        verdicts = [form.fits(value) for form in self.forms]
        return True if True in verdicts else None if None in verdicts else False

    def admits(self, value: Any) -> Fits:
        return self.fits(value)

    def admits_component(self, kind: str) -> Fits:
        verdicts = [form.admits_component(kind) for form in self.forms]
        return True if True in verdicts else None if None in verdicts else False

    def instead(self, value: Any) -> str | None:
        return next((meant for form in self.forms if (meant := form.instead(value)) is not None), None)


def kind_of(value: Any) -> str | None:
    """Return the kind of the component that a spec names, empty where it names a target; None for plain data."""
    if not isinstance(value, dict) or not ("_type_" in value or "_target_" in value):
        return None
    return str(value["_type_"]).partition(".")[0] if "_type_" in value else ""


def number_in(text: str) -> int | float | None:
    """Return the number that `text` spells, or None."""
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return None


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _within(value: float, name: str, limit: float) -> bool:
    """Return whether `value` keeps to the bound; NaN keeps to none."""
    return {"ge": value >= limit, "gt": value > limit, "le": value <= limit, "lt": value < limit}[name]
