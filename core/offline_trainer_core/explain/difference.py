"""What differs between two resolved configurations, however each came to its values."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from offline_trainer_core.config.paths import join_path
from offline_trainer_core.config.resolved import Config
from offline_trainer_core.config.secret_names import MASK, is_secret_key, without_secrets
from offline_trainer_core.config.secrets import expression_of, masked_node
from offline_trainer_core.config.tree import MappingNode, Node, ScalarNode, SequenceNode, to_plain
from offline_trainer_core.errors import UNKNOWN, Location, Unknown

__all__ = ["Change", "Masked", "Side", "difference"]

Masked = Mapping[str, str | None]
"""What a record says of the values that it masks: their paths, and the expressions that they were resolved from."""


@dataclass(frozen=True)
class Side:
    """A value as one of the two configurations has it. Secrets are masked."""

    path: str
    value: Any
    location: Location | None
    directive: str


@dataclass(frozen=True)
class Change:
    """One difference. `before` is the first configuration's side, `after` the second's; None where it has none."""

    kind: Literal["added", "removed", "changed", "moved"]
    before: Side | None
    after: Side | None

    @property
    def path(self) -> str:
        """Where the value stands: in the second configuration, or in the first where it was removed."""
        side = self.after or self.before
        return side.path if side is not None else ""


def difference(a: Config, b: Config, masked: tuple[Masked, Masked] = ({}, {})) -> tuple[Change, ...]:
    """Return every difference of two resolved trees, in the order of `b`, what it lacks last.

    The order of keys, the style of the YAML, `1.0` for `1`, and files, templates and overrides on the way make no
    difference. A key that only one of them has is one change, however much is below it. Items of lists are recognized
    where they moved. What a record masks is equal to what comes from the same expression, which `masked` says of each
    side; where it does not, to every secret.
    """
    return tuple(_changes(_At(a.root, "", masked[0]), _At(b.root, "", masked[1])))


@dataclass(frozen=True)
class _At:
    """A node, where it stands, what its record says of masks, and whether a key above it is secret."""

    node: Node
    path: str
    masked: Masked
    secret: bool = False

    def child(self, key: str) -> _At | None:
        node = self.node.items.get(key) if isinstance(self.node, MappingNode) else None
        secret = self.secret or is_secret_key(key)
        return None if node is None else _At(node, join_path(self.path, key), self.masked, secret)

    @property
    def items(self) -> list[_At]:
        assert isinstance(self.node, SequenceNode)
        return [_At(node, join_path(self.path, i), self.masked, self.secret) for i, node in enumerate(self.node.items)]

    @property
    def scalars(self) -> list[_At]:
        """The single value that this is, or the values of a list of them."""
        return (
            [self] if isinstance(self.node, ScalarNode) else self.items if isinstance(self.node, SequenceNode) else []
        )

    @property
    def is_mask(self) -> bool:
        return isinstance(self.node, ScalarNode) and self.node.value == MASK

    @property
    def origin(self) -> str | Unknown | None:
        """The expression that a secret comes from; None for one that was written out."""
        if self.is_mask:
            return self.masked.get(self.path, UNKNOWN)
        return expression_of(self.node) if isinstance(self.node, ScalarNode) else None

    @property
    def side(self) -> Side:
        value = masked_node(self.node, self.secret)
        return Side(self.path, value, self.node.location, without_secrets(self.node.directive))


def _changes(a: _At, b: _At) -> Iterator[Change]:
    if isinstance(a.node, MappingNode) and isinstance(b.node, MappingNode):
        yield from _of_mappings(a, b)
    elif isinstance(a.node, SequenceNode) and isinstance(b.node, SequenceNode) and not (_is_plain(a) and _is_plain(b)):
        yield from _of_lists(a, b)
    elif any(item.is_mask for item in (*a.scalars, *b.scalars)):
        if not _is_one_secret(a, b):
            yield Change("changed", _with_origin(a), _with_origin(b))
    elif _fingerprint(a) != _fingerprint(b):
        yield Change("changed", a.side, b.side)


def _of_mappings(a: _At, b: _At) -> Iterator[Change]:
    assert isinstance(a.node, MappingNode)
    assert isinstance(b.node, MappingNode)
    for key in b.node.items:
        before, after = a.child(key), b.child(key)
        assert after is not None
        if before is not None:
            yield from _changes(before, after)
        else:
            yield Change("added", None, after.side)
    for key in a.node.items:
        before = a.child(key)
        if before is not None and key not in b.node.items:
            yield Change("removed", before.side, None)


def _of_lists(a: _At, b: _At) -> Iterator[Change]:
    """Yield what differs between two lists of mappings or lists: first item by item of `b`, then what it lacks."""
    pairs = _paired(a.items, b.items)
    moved = _moved(sorted(pairs))
    by_second = {second: first for first, second in pairs}
    for index, after in enumerate(b.items):
        first = by_second.get(index)
        if first is None:
            yield Change("added", None, after.side)
            continue
        before = a.items[first]
        if (first, index) in moved:
            yield Change("moved", before.side, after.side)
        yield from _changes(before, after)
    kept = {first for first, _ in pairs}
    yield from (Change("removed", item.side, None) for index, item in enumerate(a.items) if index not in kept)


def _paired(a: Sequence[_At], b: Sequence[_At]) -> list[tuple[int, int]]:
    """Return which items are the same thing: first those that are equal, then those that are called the same."""
    pairs: list[tuple[int, int]] = []
    left, right = list(range(len(a))), list(range(len(b)))
    for identity in (_fingerprint, _name, _type):
        found = _matched([a[i] for i in left], [b[j] for j in right], identity)
        pairs += [(left[i], right[j]) for i, j in found]
        left = [i for n, i in enumerate(left) if n not in {first for first, _ in found}]
        right = [j for n, j in enumerate(right) if n not in {second for _, second in found}]
    return pairs


def _matched(a: Sequence[_At], b: Sequence[_At], identity: Callable[[_At], str | None]) -> list[tuple[int, int]]:
    """Pair the n-th item of each identity with the n-th of the same in the other list."""
    waiting: dict[str, list[int]] = {}
    for index, item in enumerate(a):
        if (known := identity(item)) is not None:
            waiting.setdefault(known, []).append(index)
    pairs = []
    for index, item in enumerate(b):
        known = identity(item)
        if known is not None and waiting.get(known):
            pairs.append((waiting[known].pop(0), index))
    return pairs


def _moved(pairs: Sequence[tuple[int, int]]) -> set[tuple[int, int]]:
    """Return the fewest pairs whose order changed: those outside of a longest increasing run."""
    ends: list[int] = []
    chains: list[list[tuple[int, int]]] = []
    for first, second in pairs:
        length = bisect_left(ends, second)
        chain = [*(chains[length - 1] if length else []), (first, second)]
        ends[length : length + 1] = [second]
        chains[length : length + 1] = [chain]
    return set(pairs) - set(chains[-1] if chains else ())


def _fingerprint(item: _At) -> str:
    """Return a text that equal values share: `1` and `1.0` are equal, `1` and `true` are not."""
    return json.dumps(_normal(to_plain(item.node)), sort_keys=True)


def _normal(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _normal(below) for key, below in value.items()}
    if isinstance(value, list):
        return [_normal(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _type(item: _At) -> str | None:
    """Return the component that an item names; items without one, all alike, go by their order."""
    if isinstance(item.node, MappingNode):
        return item.node.type_key or "a mapping"
    return type(item.node).__name__


def _name(item: _At) -> str | None:
    """Return the component of an item together with its name, where it has one."""
    name = item.node.get("name") if isinstance(item.node, MappingNode) else None
    return f"{_type(item)} {name.value!r}" if isinstance(name, ScalarNode) else None


def _is_plain(item: _At) -> bool:
    """Whether the list holds single values only: it is then one value itself, such as a shape."""
    assert isinstance(item.node, SequenceNode)
    return all(isinstance(node, ScalarNode) for node in item.node.items)


def _is_one_secret(a: _At, b: _At) -> bool:
    """Whether two values, of which a record masks at least one, come from the same places as far as it is known."""
    pairs = zip(a.scalars, b.scalars, strict=False)
    return a.side.value == b.side.value and all(
        x.origin == y.origin or UNKNOWN in (x.origin, y.origin) for x, y in pairs if x.is_mask or y.is_mask
    )


def _with_origin(item: _At) -> Side:
    """Return the side of a secret, or of a list of them, which says what they come from."""
    origins = [each.origin for each in item.scalars if isinstance(each.origin, str)]
    return replace(item.side, directive=f"interpolation {', '.join(origins)}") if origins else item.side
