"""What is in the picture is what is in the policy, and every text has its room."""

from __future__ import annotations

from itertools import combinations
from xml.etree import ElementTree

import pytest
import torch  # noqa: F401

from offline_trainer_core import specimen
from ot_policy_constructor.inspection.drawing.contents import scene_of
from ot_policy_constructor.inspection.drawing.file import draw_into
from ot_policy_constructor.inspection.drawing.sheet import lay_out, styles_of
from ot_policy_constructor.inspection.drawing.type import width_of
from ot_policy_constructor.inspection.survey import survey

pytest.importorskip("igraph")


def picture(config):
    return scene_of(survey(specimen(config)), "small.yaml")


def links_of(scene) -> set[tuple[str, str, bool]]:
    return {tuple(link) for link in scene.links}


def test_fields_components_and_prediction_are_linked_as_the_policy_links_them(two_networks):
    scene = picture(two_networks)
    assert links_of(scene) == {
        ("field image", "camera/in/image", False),
        ("field state", "head/in/state", False),
        ("camera/out/", "head/in/vision", True),
        ("head/out/", "result validate ", False),
    }
    assert scene.items["field image"].lines == ("image", "(B, 3, 4, 4)")
    assert scene.items["result validate "].lines == ("prediction", "(B, 2)")


def test_frozen_components_are_marked(two_networks):
    boxes = picture(two_networks).boxes
    assert (boxes["camera"].frozen, boxes["head"].frozen) == (True, False)
    assert "frozen" in boxes["camera"].lines
    kinds = {item.kind for item in boxes["camera"].items.values()}
    assert "frozen" in kinds
    assert "module" not in kinds


def test_inside_a_graph_are_its_calls_with_the_shapes_between_them(graph):
    box = picture(graph).boxes["model"]
    lines = {item.lines for item in box.items.values()}
    assert lines == {
        ("state", "(B, 5)"), ("vision", "(B, 8)"), ("body", "nn.LazyLinear", "48 parameters"), ("(B, 8)",),
        ("cat(dim=-1)",), ("(B, 16)",), ("out", "nn.Linear", "34 parameters"), ("action", "(B, 2)"),
    }  # fmt: skip
    labels = {key: item.lines[0] for key, item in box.items.items()}
    drawn = {(labels[link.source], labels[link.target]) for link in box.links}
    assert drawn == {
        ("state", "body"), ("body", "(B, 8)"), ("(B, 8)", "cat(dim=-1)"), ("vision", "cat(dim=-1)"),
        ("cat(dim=-1)", "(B, 16)"), ("(B, 16)", "out"), ("out", "action"),
    }  # fmt: skip


def test_a_value_that_is_taken_apart_has_a_name_for_every_part(experiment):
    parts = {"graph": {
        "inputs": ["state"],
        "modules": {"wide": {"_type_": "nn.Linear", "in_features": 5, "out_features": 4}},
        "steps": [{"call": "module:wide", "args": ["$state"], "out": "both"},
                  {"call": "op:chunk", "args": ["$both", 2], "kwargs": {"dim": -1}, "out": ["left", "right"]},
                  {"call": "op:mul", "args": ["$left", "$right"], "out": "action"}],
        "outputs": ["$action"],
    }}  # fmt: skip
    items = picture(experiment(parts)).boxes["model"].items.values()
    assert {"left (B, 2)", "right (B, 2)"} <= {item.lines[0] for item in items if item.kind == "value"}


def test_every_output_has_a_port_and_what_is_predicted_comes_from_the_right_one(experiment):
    heads = {"graph": {
        "inputs": ["state"],
        "modules": {"mean": {"_type_": "nn.Linear", "in_features": 5, "out_features": 2},
                    "value": {"_type_": "nn.Linear", "in_features": 5, "out_features": 1}},
        "steps": [{"call": "module:mean", "args": ["$state"], "out": "m"},
                  {"call": "module:value", "args": ["$state"], "out": "v"}],
        "outputs": {"action": "$m", "value": "$v"},
    }}  # fmt: skip
    loss = {"_type_": "loss.torch", "fn": "MSELoss", "pred_path": "action", "target_path": "action"}
    scene = picture(experiment(heads, loss=loss))
    assert [scene.boxes["model"].items[key].lines for key in scene.boxes["model"].outputs] == [
        ("action", "(B, 2)"), ("value", "(B, 1)"),
    ]  # fmt: skip
    assert links_of(scene) == {
        ("field state", "model/in/state", False),
        ("model/out/action", "result validate action", False),
        ("model/out/value", "result validate value", False),
    }


def test_a_network_that_nobody_calls_is_drawn_and_said_to_be_idle(experiment):
    idle = {"sequential": {"inputs": ["x"], "layers": [{"_type_": "nn.Linear", "in_features": 3, "out_features": 1}]}}
    used = {"sequential": {"inputs": ["state"], "layers": [
        {"_type_": "nn.Linear", "in_features": 5, "out_features": 2}
    ]}}  # fmt: skip
    config = experiment({"components": {"used": used, "idle": {**idle, "freeze": True}}},
                        algorithm={"_type_": "algo.supervised", "model": "used"})  # fmt: skip
    scene = picture(config)
    assert scene.boxes["idle"].lines == ("idle", "frozen", "4 parameters", "not called")
    assert not [link for link in scene.links if "idle/" in link.source + link.target]


def test_what_only_the_algorithm_makes_is_said_to_be_its_own(two_networks):
    two_networks["algorithm"]["blind"] = True
    head = picture(two_networks).boxes["head"]
    assert head.items["head/in/vision"].lines == ("vision", "(B, 8)", "by the algorithm")
    assert head.items["head/in/state"].lines == ("state", "(B, 5)")


@pytest.mark.parametrize("policy", ["mlp", "graph", "two_networks"])
def test_items_do_not_overlap_and_hold_their_text(policy, request):
    sheet = lay_out(picture(request.getfixturevalue(policy)))
    for one, other in combinations(sheet.items, 2):
        beside = max(other.left - one.left - one.width, one.left - other.left - other.width)
        above = max(other.top - one.top - one.height, one.top - other.top - other.height)
        assert max(beside, above) > 0, (one.item, other.item)
    for placed in sheet.items:
        if placed.item.kind != "value":
            widths = [
                width_of(line, *style) for line, style in zip(placed.item.lines, styles_of(placed.item), strict=True)
            ]
            assert max(widths) <= placed.width
    for frame in sheet.frames:
        heading = max(width_of(line, "box", bold=True) for line in frame.box.lines[:1])
        inside = [p for p in sheet.items if frame.left < p.left < frame.left + frame.width]
        inside = [p for p in inside if frame.top < p.top < frame.top + frame.height]
        assert len(inside) == len(frame.box.items)
        assert min(p.left for p in inside) > frame.left + heading


@pytest.mark.parametrize("form", ["svg", "png", "pdf"])
def test_the_same_policy_is_the_same_file(form, two_networks, tmp_path):
    seen = survey(specimen(two_networks))
    draw_into(tmp_path / f"one.{form}", seen, "small.yaml")
    draw_into(tmp_path / f"two.{form}", survey(specimen(two_networks)), "small.yaml")
    one = (tmp_path / f"one.{form}").read_bytes()
    assert one == (tmp_path / f"two.{form}").read_bytes()
    draw_into(tmp_path / f"other.{form}", seen, "other.yaml")
    assert one != (tmp_path / f"other.{form}").read_bytes()


def test_text_stays_text(graph, tmp_path):
    draw_into(tmp_path / "model.svg", survey(specimen(graph)), "small.yaml")
    root = ElementTree.parse(tmp_path / "model.svg").getroot()
    texts = {"".join(node.itertext()).strip() for node in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"small.yaml", "nn.Linear", "cat(dim=-1)", "(B, 16)", "34 parameters", "field of the batch"} <= texts
