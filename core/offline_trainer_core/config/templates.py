"""`templates:` and `_template_: name`, which puts a named mapping below the mapping that asks for it."""

from __future__ import annotations

from dataclasses import replace

from offline_trainer_core.config.findings import Findings
from offline_trainer_core.config.limits import MAX_DEPTH, Extent, excess
from offline_trainer_core.config.merge import merge
from offline_trainer_core.config.paths import join_path
from offline_trainer_core.config.rebuild import with_collections
from offline_trainer_core.config.tree import MappingNode, Node, ScalarNode, SequenceNode, is_unknown
from offline_trainer_core.spelling import listing, nearest

__all__ = ["expand_templates"]


def expand_templates(root: MappingNode, findings: Findings) -> MappingNode:
    """Return `root` without `templates`, with every `_template_` carried out; problems go to `findings`."""
    section = root.get("templates")
    if section is not None and not isinstance(section, MappingNode):
        if not is_unknown(section):
            findings.at(section, "bad-template", "'templates' is a mapping from names to mappings", "templates")
        section = MappingNode({}, is_complete=False)
    section = section or MappingNode({})
    rest = {key: node for key, node in root.items.items() if key != "templates"}
    kept = replace(root, items=rest) if "templates" in root.items else root
    expanded = _Expansion(section, findings).node(kept, "")
    return expanded if isinstance(expanded, MappingNode) else kept


class _Expansion:
    def __init__(self, section: MappingNode, findings: Findings) -> None:
        self.templates = section.items
        self.findings = findings
        self.knows_all = section.is_complete and not findings.is_incomplete
        self.extent = Extent()
        self.expanded: dict[str, Node | None] = {}
        self.open: list[str] = []
        """The templates that are being expanded, outermost first."""
        self.depth = 0

    def node(self, node: Node, path: str) -> Node:
        """Return `node` with the templates in it and below it expanded."""
        if self.depth > MAX_DEPTH:
            self.findings.at(node, "too-deep", f"templates nest more than {MAX_DEPTH} levels deep", path)
            return node
        self.depth += 1
        node = self.expanded_here(with_collections(node, path, self.node), path)
        self.depth -= 1
        return node

    def expanded_here(self, node: Node, path: str) -> Node:
        """Return `node`, in which everything below is expanded, with its own template below it."""
        if not isinstance(node, MappingNode) or "_template_" not in node.items:
            return node
        own = replace(node, items={key: child for key, child in node.items.items() if key != "_template_"})
        template = self.template(node.items["_template_"], path)
        if template is None:
            return replace(own, is_complete=False)
        merged = merge(template, own, self.findings, path)
        size, height = self.extent.of(merged)
        if problem := excess(size, height):
            self.findings.at(node, *problem, path)
            return replace(own, is_complete=False)
        return merged

    def template(self, reference: Node, path: str) -> Node | None:
        """Return the expanded template that `reference` names, or None after reporting why there is none."""
        place = join_path(path, "_template_")
        name = reference.value if isinstance(reference, ScalarNode) else None
        if is_unknown(reference) or (name not in self.templates and not self.knows_all):
            return None  # why has been reported
        if not isinstance(name, str) or "${" in name:
            message = "'_template_' is the name of a template; templates come before interpolation"
            self.findings.at(reference, "bad-template", message, place, allowed=listing(self.templates))
        elif name not in self.templates:
            near, allowed = nearest(name, self.templates), listing(self.templates)
            message = f"there is no template '{name}'"
            self.findings.at(reference, "unknown-template", message, place, suggestion=near, allowed=allowed)
        elif name in self.open:
            chain = " -> ".join([*self.open[self.open.index(name) :], name])
            self.findings.at(reference, "cycle", f"these templates use each other: {chain}", place)
        else:
            if name not in self.expanded:
                self.expanded[name] = self.expand(name, reference)
            return self.expanded[name]
        return None

    def expand(self, name: str, reference: Node) -> Node | None:
        template = self.templates[name]
        place = join_path("templates", name)
        if not isinstance(template, MappingNode):
            self.findings.at(template, "bad-template", f"the template '{name}' is not a mapping", place)
            return None
        self.open.append(name)
        with self.findings.within(f"template '{name}' is used at {reference.location or place}"):
            expanded = self.node(_relabelled(template, f"template {name}"), place)
        self.open.pop()
        return expanded


def _relabelled(node: Node, directive: str) -> Node:
    """Return a copy of `node` in which every value says that it came from the template."""
    if isinstance(node, MappingNode):
        items = {key: _relabelled(child, directive) for key, child in node.items.items()}
        return replace(node, items=items, directive=directive)
    if isinstance(node, SequenceNode):
        return replace(node, items=tuple(_relabelled(item, directive) for item in node.items), directive=directive)
    return replace(node, directive=directive)
