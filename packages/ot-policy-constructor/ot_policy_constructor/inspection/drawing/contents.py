"""From the survey of a policy to what is drawn of it."""

from __future__ import annotations

from collections.abc import Iterator

from ot_policy_constructor.graph import Graph
from ot_policy_constructor.inspection.drawing.inside import fill_with_graph, fill_with_module
from ot_policy_constructor.inspection.drawing.scene import Box, Item, Link, Scene
from ot_policy_constructor.inspection.numbers import short, times
from ot_policy_constructor.inspection.passes import Pass, field_source
from ot_policy_constructor.inspection.recording import output_of
from ot_policy_constructor.inspection.shapes import TensorFact, valued
from ot_policy_constructor.inspection.survey import Component, Survey

__all__ = ["scene_of"]


def scene_of(survey: Survey, title: str) -> Scene:
    """Return the picture of a policy under `title`."""
    count = survey.parameters
    trained = f"{count.trainable:,} trained, {count.frozen:,} frozen" if count.frozen else "all trained"
    scene = Scene((title, f"{survey.algorithm}   ·   {count.total:,} parameters, {trained}"))
    for component in survey.components:
        scene.boxes[component.name] = _box(component)
    for component in survey.components:
        for seen in survey.passes:
            if component.seen == (seen[0].recorders[component.name], seen[1].recorders[component.name]):
                _connect_inputs(scene, component, seen)
    for first, second in survey.passes:
        _add_results(scene, first, second)
    return scene


def _box(component: Component) -> Box:
    module, lines = component.module, [component.name]
    if component.frozen:
        lines.append("frozen")
    lines.append(f"{module.parameters.total:,} parameters")
    if module.flops is not None:
        flops = short(module.flops.at(1))
        lines.append(f"{flops}FLOPs" if " " in flops else f"{flops} FLOPs")
    if component.times != 1:
        lines.append(f"called {times(component.times)} by {component.way}" if component.way else "not called")
    box = Box(tuple(lines), component.frozen)
    if isinstance(component.model, Graph) and component.seen is not None:
        fill_with_graph(box, component, component.model, component.seen)
    else:
        fill_with_module(box, component)
    return box


def _connect_inputs(scene: Scene, component: Component, seen: tuple[Pass, Pass]) -> None:
    """Link every input of a component with what it was, or was computed from."""
    first, _ = seen
    recorder, box = first.recorders[component.name], scene.boxes[component.name]
    handed_on = {fact.storage for fact in first.fields} | _made(first)
    for fact in recorder.calls[""].inputs:
        target = f"{component.name}/in/{fact.name}"
        if target not in box.items:  # one that not every batch has
            continue
        keys = [_key_of(scene, source, seen) for source in sorted(recorder.sources[fact.name])]
        scene.links += [Link(key, target, fact.storage not in handed_on) for key in keys if key is not None]
        if not keys:
            box.items[target] = Item("port", (*box.items[target].lines, "by the algorithm"))


def _key_of(scene: Scene, source: str, seen: tuple[Pass, Pass]) -> str | None:
    """Return the item that stands for a declared source; that of a field is made when something needs it."""
    first, second = seen
    for fact, other in zip(first.fields, second.fields, strict=True):
        if source == field_source(fact.name):
            scene.items.setdefault(source, Item("field", (fact.name, valued(fact, other).label)))
            return source
    for name, output in _outputs(first):
        key = f"{name}/out/{output.name}"
        if source == output_of(name, output.name) and key in scene.boxes[name].items:
            return key
    return None


def _made(seen: Pass) -> set[int]:
    return set().union(*(recorder.made for recorder in seen.recorders.values()))


def _outputs(seen: Pass) -> Iterator[tuple[str, TensorFact]]:
    for name, recorder in seen.recorders.items():
        if recorder.calls:
            yield from ((name, output) for output in recorder.calls[""].outputs)


def _add_results(scene: Scene, first: Pass, second: Pass) -> None:
    """Show what the policy answers, once for every set of outputs that it is made of."""
    made = _made(first)
    for (fact, sources), (other, _) in zip(first.results, second.results, strict=True):
        keys = [_key_of(scene, source, (first, second)) for source in sorted(sources) if source.startswith("output ")]
        if any(link.source in keys and link.target.startswith("result ") for link in scene.links):
            continue
        key = f"result {first.way} {fact.name}"
        links = [Link(source, key, fact.storage not in made) for source in keys if source is not None]
        if links:
            name = fact.name or "prediction"
            scene.items[key] = Item("result", (name, valued(fact, other).label))
            scene.links += links
