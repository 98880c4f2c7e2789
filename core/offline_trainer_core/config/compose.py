"""`defaults:`, the files that a file stands on: later over earlier, the file itself over all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

from offline_trainer_core.config.findings import Findings
from offline_trainer_core.config.limits import Extent, excess
from offline_trainer_core.config.merge import merge
from offline_trainer_core.config.parse import parse_text
from offline_trainer_core.config.paths import join_path
from offline_trainer_core.config.read import read_text, real_path
from offline_trainer_core.config.tree import MappingNode, Node, ScalarNode, SequenceNode
from offline_trainer_core.errors import Location

__all__ = ["compose"]

_MAX_CHAIN = 50
"""Files that may include one another in a row."""


def compose(file: str, findings: Findings) -> MappingNode | None:
    """Return the tree of `file` merged over its defaults; problems go to `findings`."""
    return _Composition(findings).tree(file, ScalarNode(file))


class _Composition:
    def __init__(self, findings: Findings) -> None:
        self.findings = findings
        self.extent = Extent()
        self.trees: dict[str, MappingNode | None] = {}
        """What each file came to, by its real path: a file that is included twice is read once."""
        self.open: dict[str, str] = {}
        """The files that are being composed, by their real paths, outermost first, each as the author wrote it."""

    def tree(self, file: str, reference: ScalarNode) -> MappingNode | None:
        tree = self.tree_of(file, reference)
        self.findings.is_incomplete |= tree is None
        return tree

    def tree_of(self, file: str, reference: ScalarNode) -> MappingNode | None:
        real = real_path(file)
        if real in self.open:
            chain = [*list(self.open.values())[list(self.open).index(real) :], file]
            self.findings.at(reference, "cycle", f"these files include each other: {' -> '.join(chain)}")
            return None
        if len(self.open) >= _MAX_CHAIN:
            self.findings.at(reference, "too-deep", f"more than {_MAX_CHAIN} files include one another in a row")
            return None
        if real not in self.trees:
            self.open[real] = file
            self.trees[real] = self.read(file, reference)
            del self.open[real]
        return self.trees[real]

    def read(self, file: str, reference: ScalarNode) -> MappingNode | None:
        if reference.location is not None:
            self.findings.included.setdefault(file, reference.location)
        text = read_text(file, reference, self.findings)
        return None if text is None else self.parsed(text, file)

    def parsed(self, text: str, file: str) -> MappingNode | None:
        before = len(self.findings.problems)
        root = parse_text(text, file, self.findings)
        if isinstance(root, MappingNode):
            return self.over_defaults(root, file)
        if len(self.findings.problems) == before:
            what, where = ("a list or a single value", root.location) if root else ("empty", Location(file, 1, 1))
            code = "not-a-mapping" if root else "empty-file"
            self.findings.add(code, f"a configuration is a mapping, and this file is {what}", location=where)
        return None

    def over_defaults(self, root: MappingNode, file: str) -> MappingNode | None:
        defaults = root.get("defaults")
        own = {key: node for key, node in root.items.items() if key != "defaults"}
        layers: list[MappingNode] = []
        if defaults is not None:
            layers = list(self.layers(defaults, file))
        tree: Node | None = None
        for layer in (*layers, replace(root, items=own)):
            tree = merge(tree, layer, self.findings)
            if problem := excess(*self.extent.of(tree)):
                self.findings.add(*problem, location=layer.location)
                return None
        if isinstance(tree, MappingNode):
            return tree
        self.findings.add("not-a-mapping", "a configuration is a mapping", location=root.location)
        return None

    def layers(self, defaults: Node, file: str) -> Iterator[MappingNode]:
        """Yield the tree of every file that `defaults` names, mounted where it says."""
        if not isinstance(defaults, SequenceNode):
            self.refuse(defaults, "'defaults' is a list of files", "defaults")
            return
        for index, entry in enumerate(defaults.items):
            yield from self.entry(entry, file, (), join_path("defaults", index))

    def entry(
        self, entry: Node, file: str, mount: tuple[tuple[str, Location], ...], path: str
    ) -> Iterator[MappingNode]:
        if isinstance(entry, MappingNode):
            for key, below in entry.items.items():
                yield from self.entry(below, file, (*mount, (key, entry.key_locations[key])), join_path(path, key))
        elif isinstance(entry, ScalarNode) and isinstance(entry.value, str) and entry.value:
            name = os.path.normpath(os.path.join(os.path.dirname(file), entry.value))
            tree = self.tree(name, entry)
            if tree is not None:
                yield _mounted(tree, mount)
        else:
            self.refuse(entry, "this names no file", path)

    def refuse(self, node: Node, message: str, path: str) -> None:
        """Report what names no file: nobody knows what the file would have said."""
        text = node.value if isinstance(node, ScalarNode) and isinstance(node.value, str) else None
        fix = f"defaults: [{text}]" if text and path == "defaults" else None
        self.findings.at(node, "bad-defaults", message, path, allowed=_FORMS, fix=fix)
        self.findings.is_incomplete = True


_FORMS = "entries 'file.yaml' or 'name: file.yaml', relative to this file"


def _mounted(tree: MappingNode, mount: tuple[tuple[str, Location], ...]) -> MappingNode:
    for key, location in reversed(mount):
        tree = MappingNode({key: tree}, location, {key: location})
    return tree
