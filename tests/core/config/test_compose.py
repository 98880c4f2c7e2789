"""`defaults:`: which files take part, in which order, and what is wrong with them."""

import pytest

from offline_trainer_core.config import resolve_config
from offline_trainer_core.errors import ConfigError


def test_later_files_win_and_the_file_itself_wins_over_all(resolve):
    config = resolve("a: 3\ndefaults: [x.yaml, y.yaml]", x="a: 1\nb: 1\nc: 1", y="a: 2\nb: 2")
    assert config.plain() == {"a": 3, "b": 2, "c": 1}


def test_paths_are_relative_to_the_file_that_names_them(tmp_path):
    (tmp_path / "sub" / "deep").mkdir(parents=True)
    (tmp_path / "exp.yaml").write_text("defaults: [sub/a.yaml]")
    (tmp_path / "sub" / "a.yaml").write_text("defaults: [deep/b.yaml, ../c.yaml]")
    (tmp_path / "sub" / "deep" / "b.yaml").write_text("b: 1")
    (tmp_path / "c.yaml").write_text("c: 1")
    config = resolve_config(tmp_path / "exp.yaml")
    assert config.plain() == {"b": 1, "c": 1}
    assert config.find("c").location.file == str(tmp_path / "c.yaml")


def test_a_named_entry_mounts_the_file_under_its_name(resolve):
    config = resolve(
        "defaults:\n- model: m.yaml\n- data: {train: d.yaml}\nmodel: {b: 2}",
        m="defaults: [n.yaml]\na: 1\nb: 1",
        n="c: 1",
        d="path: x",
    )
    assert config.plain() == {"model": {"c": 1, "a": 1, "b": 2}, "data": {"train": {"path": "x"}}}


def test_a_file_may_be_reached_twice(resolve):
    config = resolve("defaults: [l.yaml, r.yaml]", l="defaults: [b.yaml]\nx: l", r="defaults: [b.yaml]", b="x: b\ny: b")
    assert config.plain() == {"x": "b", "y": "b"}


def test_defaults_below_the_top_level_are_a_key_like_any_other(resolve):
    assert resolve("a: {defaults: [x.yaml]}").plain() == {"a": {"defaults": ["x.yaml"]}}


def test_a_cycle_shows_its_chain(problems):
    (found,) = problems("defaults: [a.yaml]", a="defaults: [b.yaml]", b="x: 1\ndefaults: [a.yaml]")
    assert found.code == "cycle"
    assert found.message.count("->") == 2
    assert found.location.file.endswith("b.yaml")
    assert any("exp.yaml:1:12" in note for note in found.notes)


def test_a_missing_file_names_its_neighbours(problems):
    found = problems("defaults: [optimzer.yaml, gone/x.yaml]", optimizer="a: 1")
    assert [p.code for p in found] == ["missing-file", "missing-file"]
    assert found[0].suggestion == "optimizer.yaml"
    assert "exp.yaml" in found[0].allowed
    assert "no folder" in found[1].message


def test_the_problems_of_all_files_are_reported_at_once_with_their_chains(problems):
    found = problems("defaults: [a.yaml, b.yaml, c.yaml]\nx: 1\nx: 2", a="y: [", b="1: 2", c="")
    assert sorted(p.code for p in found) == ["bad-key", "duplicate-key", "empty-file", "yaml-syntax"]
    assert all("included at" in p.notes[-1] for p in found if not p.location.file.endswith("exp.yaml"))


@pytest.mark.parametrize("entry", ["a.yaml", "[1]", "[null]", "[['a.yaml']]", "['']"])
def test_an_entry_that_names_no_file_is_a_problem(problems, entry):
    assert [p.code for p in problems(f"defaults: {entry}", a="x: 1")] == ["bad-defaults"]


def test_a_missing_top_file_and_a_folder_are_problems(tmp_path):
    for path, code in ((tmp_path / "exp.yaml", "missing-file"), (tmp_path, "unreadable-file")):
        with pytest.raises(ConfigError) as caught:
            resolve_config(path)
        assert [p.code for p in caught.value.problems] == [code]


def test_a_hundred_files_in_a_row_are_too_many(problems):
    chain = {f"f{i}": f"defaults: [f{i + 1}.yaml]" for i in range(100)}
    assert [p.code for p in problems("defaults: [f0.yaml]", **chain)] == ["too-deep"]
