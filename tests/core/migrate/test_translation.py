from __future__ import annotations

import re
from pathlib import Path

import pytest

from offline_trainer_core.config import MappingNode, ScalarNode, to_plain, walk
from offline_trainer_core.config.written import parse_written
from offline_trainer_core.errors import ConfigError
from offline_trainer_core.migrate import dialect_of, translated
from offline_trainer_core.migrate.nested import TRAIN

HERE = Path(__file__).parent
DIALECTS = ["nested", "multi_model"]
MULTI_MODEL_KEYS = [
    "component_config_paths",
    "component_build_args",
    "init",
    "freeze",
    "component_optims",
    "type",
    "params",
    "find_unused_parameters",
    "datamodule",
    "batch_size",
    "num_workers",
    "pin_memory",
    "persistent_workers",
    "prefetch_factor",
    "project_name",
    "epoch",
    "save_every",
    "save_dir",
    "load_dir",
    "seed",
    "trainer",
    "loss",
]
NESTED_KEYS = [
    *(
        [
            "plugins",
            "seed",
            "deterministic",
            "device",
            "model",
            "config",
            "data",
            "datamodule",
            "type",
            "params",
            "train",
            "enabled",
            "decay",
        ]
    ),
    *(["save_dir", "save_every_n_steps", "save_last", "resume_from"]),
    *TRAIN,
]


def comments(text: str) -> list[str]:
    return sorted(re.findall(r"(?:^|(?<=\s))#.*", text, re.MULTILINE))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_older_file_becomes_what_a_person_would_have_written(older: Path, dialect: str) -> None:
    translation = translated(f"{dialect}_old.yaml")
    assert translation is not None
    assert translation.dialect == dialect.replace("_", "-")
    assert translation.text == (HERE / f"{dialect}_new.yaml").read_text()


@pytest.mark.parametrize(("dialect", "keys"), [("nested", NESTED_KEYS), ("multi_model", MULTI_MODEL_KEYS)])
def test_the_older_files_have_every_key_of_their_dialect(dialect: str, keys: list[str]) -> None:
    written = set(re.findall(r"\w+(?=:)", (HERE / f"{dialect}_old.yaml").read_text()))
    assert set(keys) - written == set()


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_text_and_the_tree_of_a_translation_say_the_same(older: Path, dialect: str) -> None:
    translation = translated(f"{dialect}_old.yaml")
    assert translation is not None
    assert to_plain(parse_written(translation.text, "new.yaml").root) == to_plain(translation.config.root)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_comment_is_kept_once(older: Path, dialect: str) -> None:
    translation = translated(f"{dialect}_old.yaml")
    assert translation is not None
    added = [line for line in comments(translation.text) if line.startswith(("# was: ", "# Not carried over"))]
    assert comments(translation.text) == sorted([*comments(Path(f"{dialect}_old.yaml").read_text()), *added])


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_translation_is_of_todays_language(older: Path, dialect: str) -> None:
    translation = translated(f"{dialect}_old.yaml")
    assert translation is not None
    Path("new.yaml").write_text(translation.text)
    assert dialect_of(parse_written(translation.text, "new.yaml").root) is None
    assert translated("new.yaml") is None


@pytest.mark.parametrize("dialect", DIALECTS)
def test_values_keep_their_places_in_the_older_file(older: Path, dialect: str) -> None:
    file = f"{dialect}_old.yaml"
    translation = translated(file)
    assert translation is not None
    lines = Path(file).read_text().splitlines()
    looked_at = 0
    for _, node in walk(translation.config.root):
        # Numbers stand in the new tree where they stand in the old text.
        if isinstance(node, ScalarNode) and type(node.value) is int and node.location and node.location.line > 1:
            written = lines[node.location.line - 1][node.location.column - 1 :]
            assert written.startswith(str(node.value))
            looked_at += 1
    assert looked_at > 3


def test_todays_files_are_of_no_older_dialect() -> None:
    examples = sorted(Path(__file__).parents[3].glob("examples/**/*.yaml"))
    assert examples
    for file in examples:
        assert dialect_of(parse_written(file.read_text(), str(file)).root) is None


@pytest.mark.parametrize(
    "text",
    [
        "data: {_type_: data.x, datamodule: 1}\ntrain: 3",
        "run: {name: a, out_dir: b}\nparams: {train: {loss: 1}}",
        "model: {components: {component_config_paths: {config_path: a.yaml}}}",
        "train: {epochs: 3}",
        "x-train: {loss: {type: a}}",
    ],
)
def test_what_only_resembles_an_older_dialect_is_left_alone(text: str) -> None:
    assert dialect_of(parse_written(text, "cfg.yaml").root) is None


NESTED = """\
model: {config_path: model.yaml}
data: {datamodule: {type: random_regression}}
train:
  loss: {type: torch}
  max_epochs: 1
"""


PARTS = "data: {datamodule: a}\ntrain: {}"


def problems_of(text: str, tmp_path: Path) -> list[tuple[str, int, int, str | None]]:
    file = tmp_path / "old.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        translated(str(file))
    found = caught.value.problems
    assert all(problem.location and problem.location.file == str(file) for problem in found)
    return [(p.code, p.location.line, p.location.column, p.suggestion) for p in found if p.location]


def test_a_misspelled_key_is_an_error_at_its_place(tmp_path: Path) -> None:
    assert problems_of(NESTED.replace("max_epochs", "max_epoch"), tmp_path) == [("unknown-key", 5, 3, "max_epochs")]


def test_all_problems_are_reported_at_once(tmp_path: Path) -> None:
    text = NESTED.replace("{type: torch}", "{params: {}}").replace("max_epochs: 1", "metrics: {a: 1}\n  amp: maybe")
    codes = [code for code, *_ in problems_of(f"seeed: 1\n{text}", tmp_path)]
    assert codes == ["unknown-key", "missing-type", "wrong-type", "wrong-type"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("train: {loss: torch}", ["missing-section", "missing-section"]),
        (NESTED + "run: {name: a}\n", ["unknown-key"]),
        (NESTED + "  project_name: a\n", ["unknown-key"]),
        (NESTED.replace("{config_path: model.yaml}", "{}"), ["one-form"]),
        (NESTED.replace("{datamodule: {type: random_regression}}", "{}"), ["missing-key"]),
        (NESTED + "  trainer: {type: default, params: {max_epochs: 2}}\n", ["duplicate-argument"]),
        (NESTED + "  model_input: 3\n", ["wrong-type"]),
        (NESTED + "  ema: true\n", ["wrong-type"]),
        (NESTED + "plugins: lab\n", ["wrong-type"]),
        ("model: {component_config_paths: {}}\ndata: {datamodule: a}\ntrain: {}", ["wrong-type"]),
        ("model: {component_config_paths: [a]}\ndata: {datamodule: a}\ntrain: {}", ["wrong-type", "wrong-type"]),
        ("model: {component_config_paths: {a: m.yaml}}", ["missing-section", "missing-section"]),
        (
            "model: {component_config_paths: {a: m.yaml}, component_optims: {b: {type: Adam}}}\n" + PARTS,
            ["unknown-model-component"],
        ),
    ],
)
def test_files_with_a_wrong_form_get_messages_with_places(text: str, expected: list[str], tmp_path: Path) -> None:
    assert [code for code, *_ in problems_of(text, tmp_path)] == expected


def new_text(text: str, tmp_path: Path) -> str:
    file = tmp_path / "old.yaml"
    file.write_text(text)
    translation = translated(str(file))
    assert translation is not None
    return translation.text


def test_anchors_are_written_out(tmp_path: Path) -> None:
    text = NESTED + "  optimizer: {type: Adam, params: &p {lr: 1.0e-3}}\n  scheduler: {type: StepLR, params: *p}\n"
    new = new_text(text, tmp_path)
    assert "&" not in new
    assert "*" not in new
    sections = parse_written(new, "new").root
    optimizer, scheduler = sections.get("optimizer"), sections.get("scheduler")
    assert isinstance(optimizer, MappingNode)
    assert isinstance(scheduler, MappingNode)
    assert to_plain(optimizer)["kwargs"] == to_plain(scheduler)["kwargs"] == {"lr": 0.001}


def test_words_that_were_booleans_are_booleans(tmp_path: Path) -> None:
    text = NESTED + "  amp: on\n" + 'plugins: ["on"]\ndeterministic: NO\n'
    plain = to_plain(parse_written(new_text(text, tmp_path), "new").root)
    assert plain["run"]["precision"] == "bf16-mixed"
    assert plain["run"]["deterministic"] is False
    assert plain["imports"] == ["on"]


def test_block_scalars_and_odd_layouts_carry_over(tmp_path: Path) -> None:
    text = NESTED.replace(
        "  loss: {type: torch}",
        "  loss:\n        type: torch\n        params:\n"
        "            note: |+\n              one\n                two\n\n"
        "            fn: {a: [1,\n  2]}  # odd\n",
    )
    loss = to_plain(parse_written(new_text(text, tmp_path), "new").root)["loss"]
    assert loss == {"_type_": "loss.torch", "note": "one\n  two\n\n", "fn": {"a": [1, 2]}}


def test_the_target_of_a_loss_becomes_a_target_of_io(tmp_path: Path) -> None:
    text = NESTED.replace("{type: torch}", "{type: torch, params: {target_path: [obs, y]}}") + "  model_input: x\n"
    plain = to_plain(parse_written(new_text(text, tmp_path), "new").root)
    assert plain["io"] == {"_type_": "io.mapping", "model_args": ["x"], "targets": {"y": ["obs", "y"]}}
    assert plain["loss"]["target_path"] == "y"


def test_what_has_no_place_any_more_stays_as_a_comment_and_is_reported(tmp_path: Path) -> None:
    file = tmp_path / "old.yaml"
    file.write_text(NESTED + "  # how much\n  ema: {enabled: false, decay: 0.9}\n")
    translation = translated(str(file))
    assert translation is not None
    assert "# how much\n# was: train.ema: {enabled: false, decay: 0.9}" in translation.text
    dropped = [problem for problem in translation.problems if problem.code == "not-carried-over"]
    assert [problem.config_path for problem in dropped] == ["train.ema"]
