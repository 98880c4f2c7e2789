"""Components of installed distributions are found from metadata, and looking has no effects."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

TRAP = """
from pathlib import Path
Path("sprung").write_text("x")
print("sprung")
raise SystemExit("sprung")
"""
POINTS = "[offline_trainer.components]\nloss.huber = team.losses:Huber\n"


def test_a_component_is_found_with_its_distribution_version_and_target(install: Any, python: Any) -> None:
    install("ot-team", POINTS, version="0.3.1")
    code = "e = installed_registry().find('loss.huber'); result = [e.kind, e.name, e.label, e.reference, e.origin]"
    assert python(code) == ["loss", "huber", "ot-team 0.3.1", "team.losses:Huber", "installed"]


def test_looking_imports_no_plugin_and_no_torch(install: Any, python: Any, tmp_path: Path) -> None:
    install("ot-trap", "[offline_trainer.components]\nloss.trap = trap:Trap\n", modules={"trap.py": TRAP})
    code = """
registry = installed_registry(); installed_commands(); installed_plugins(); installed_readers()
registry.candidates("loss.trap"); registry.suggest("loss.tarp")
result = ["loss.trap" in registry.keys("loss"), "trap" in sys.modules, "torch" in sys.modules]
"""
    assert python(code) == [True, False, False]
    assert not (tmp_path / "sprung").exists()


def test_the_trap_springs_once_it_is_loaded(install: Any, python: Any, tmp_path: Path) -> None:
    install("ot-trap", "[offline_trainer.components]\nloss.trap = trap:Trap\n", modules={"trap.py": TRAP})
    code = """
try:
    installed_registry().find("loss.trap").load()
except ComponentError as error:
    result = str(error)
"""
    assert "loss.trap of ot-trap 1.0 (trap:Trap) cannot be imported: sprung" in python(code)
    assert (tmp_path / "sprung").exists()


def test_two_hundred_other_distributions_change_nothing(install: Any, python: Any) -> None:
    for number in range(200):
        install(f"other-{number}", "[console_scripts]\nx = y:z\n")
    install("ot-team", POINTS)
    code = "r = installed_registry(); result = [e.label for e in r.candidates('loss.huber')] + list(r.broken)"
    assert python(code) == ["ot-team 1.0"]


def test_a_collision_keeps_all_candidates_in_the_order_of_their_names(install: Any, python: Any) -> None:
    for name in ("ot-zebra", "ot-ape"):
        install(name, POINTS)
    code = "result = [e.distribution for e in installed_registry().candidates('loss.huber')]"
    assert python(code) == ["ot-ape", "ot-zebra"]


def test_a_collision_is_an_error_only_where_the_key_is_used(install: Any, python: Any) -> None:
    install("ot-zebra", POINTS + "loss.other = team.losses:Other\n")
    install("ot-ape", POINTS)
    code = """
registry = installed_registry()
result = [registry.find("loss.other").label, registry.find("loss.huber@ot_Zebra").label]
try:
    registry.find("loss.huber")
except ComponentError as error:
    result.append(str(error))
"""
    other, chosen, message = python(code)
    assert (other, chosen) == ("ot-zebra 1.0", "ot-zebra 1.0")
    assert "offered by ot-ape 1.0 and ot-zebra 1.0" in message
    assert "loss.huber@ot-ape or loss.huber@ot-zebra" in message


def test_of_one_distribution_found_twice_the_first_on_the_path_counts(install: Any, python: Any) -> None:
    install("ot-team", POINTS, version="1.0", site="first")
    install("ot-team", POINTS, version="2.0", site="second")
    code = "result = [e.version for e in installed_registry().candidates('loss.huber')]"
    assert python(code, sites=("first", "second")) == ["1.0"]
    assert python(code, sites=("second", "first")) == ["2.0"]


def test_a_distribution_is_hidden_by_an_earlier_one_without_components(install: Any, python: Any) -> None:
    install("ot-team", "", version="2.0", site="first")
    install("ot-team", POINTS, version="1.0", site="second")
    code = "result = [e.version for e in installed_registry().candidates('loss.huber')]"
    assert python(code, sites=("first", "second")) == []
    assert python(code, sites=("second",)) == ["1.0"]


def test_leftovers_of_an_older_version_are_recorded(install: Any, python: Any) -> None:
    install("ot-team", POINTS, version="1.9")
    install("ot-team", POINTS, version="1.10")
    code = "r = installed_registry(); result = [[e.version for e in r.candidates('loss.huber')], str(r.broken)]"
    versions, broken = python(code)
    assert versions == ["1.10"]
    assert "1.9" in broken
    assert "1.10" in broken


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("loss.huber = team losses", "module:attribute"),
        ("loss.huber", "module:attribute"),
        ("huber = team.losses:Huber", "<kind>.<name>"),
        ("loss.a@b = team.losses:Huber", "<kind>.<name>"),
        ("loss.good = team.losses:Again", "twice"),
    ],
)
def test_a_malformed_line_is_recorded_and_the_others_count(install: Any, python: Any, line: str, reason: str) -> None:
    install("ot-team", f"[offline_trainer.components]\nloss.good = team.losses:Good\n{line}\n")
    code = """
registry = installed_registry()
keys = [entry.key for entry in registry.entries() if entry.distribution == "ot-team"]
result = [keys, [list(broken) for broken in registry.broken]]
"""
    keys, [[name, why]] = python(code)
    assert keys == ["loss.good"]
    assert name == "ot-team"
    assert line in why
    assert reason in why


def test_unreadable_metadata_is_recorded_and_shown_with_unknown_keys(install: Any, python: Any) -> None:
    info = install("ot-team", POINTS)
    (info / "entry_points.txt").write_bytes(b"\xff\xfe[offline_trainer")
    code = """
registry = installed_registry()
result = [b.name for b in registry.broken]
try:
    registry.find("loss.huber")
except ComponentError as error:
    result.append(str(error))
"""
    name, message = python(code)
    assert name.startswith("ot_team")
    assert "no component 'loss.huber' is installed" in message
    assert "entry_points.txt cannot be read" in message


def test_a_folder_in_the_place_of_entry_points_is_recorded(install: Any, python: Any) -> None:
    info = install("ot-team")
    (info / "entry_points.txt").unlink()
    (info / "entry_points.txt").mkdir()
    assert len(python("result = installed_registry().broken")) == 1


def test_a_distribution_without_a_name_is_recorded(install: Any, python: Any) -> None:
    info = install("ot-team", POINTS)
    (info / "METADATA").unlink()
    assert "no name and version" in python("result = installed_registry().broken")[0][1]


def test_extras_of_an_entry_are_read(install: Any, python: Any) -> None:
    install("ot-team", "[offline_trainer.components]\nlog.x = team.log:X [wandb, plots]\n")
    assert python("result = installed_registry().find('log.x').extras") == ["wandb", "plots"]


def test_allowed_distributions_and_the_environment_narrow_what_is_found(install: Any, python: Any) -> None:
    for name in ("ot-a", "ot-b", "ot-c"):
        install(name, POINTS)
    code = "result = [e.distribution for e in installed_registry({}).candidates('loss.huber')]"
    assert python(code.format("")) == ["ot-a", "ot-b", "ot-c"]
    assert python(code.format("['OT_a', 'ot-b']")) == ["ot-a", "ot-b"]
    assert python(code.format(""), env={"OT_ALLOWED_DISTRIBUTIONS": "ot-b, ot-c"}) == ["ot-b", "ot-c"]
    assert python(code.format("['ot-b']"), env={"OT_ALLOWED_DISTRIBUTIONS": "ot-b,ot-c"}) == ["ot-b"]
    assert python(code.format(""), env={"OT_ALLOWED_DISTRIBUTIONS": ""}) == []


def test_what_is_left_out_is_remembered_with_the_lists_that_lack_it(install: Any, python: Any) -> None:
    install("ot-a", POINTS)
    code = """
r = installed_registry({})
left_out = [*r.forbidden("loss.huber"), *r.with_local([]).forbidden("loss.huber@ot-a")]
result = [[each.entry.label, each.forbidden_by] for each in left_out]
"""
    environment = {"OT_ALLOWED_DISTRIBUTIONS": "ot-b"}
    ours, theirs = "settings.allowed_distributions", "OT_ALLOWED_DISTRIBUTIONS"
    assert python(code.format("")) == []
    assert python(code.format("['ot-b']")) == [["ot-a 1.0", [ours]]] * 2
    assert python(code.format(""), env=environment) == [["ot-a 1.0", [theirs]]] * 2
    assert python(code.format("['ot-b']"), env=environment) == [["ot-a 1.0", [ours, theirs]]] * 2
    code = """
try:
    installed_registry(["ot-b"]).find("loss.huber")
except ComponentError as error:
    result = str(error)
"""
    assert python(code) == "'loss.huber' comes from ot-a 1.0, which is not in settings.allowed_distributions"


def test_plugins_can_be_disabled_and_unknown_keys_say_so(install: Any, python: Any) -> None:
    install("ot-a", POINTS)
    code = "r = installed_registry(); result = [r.keys(), list(r.explanations())]"
    keys, notes = python(code, env={"OT_DISABLE_PLUGINS": "1"})
    assert keys == []
    assert "OT_DISABLE_PLUGINS" in notes[0]
    assert "loss.huber" in python(code, env={"OT_DISABLE_PLUGINS": "0"})[0]


def test_commands_plugins_and_readers_have_groups_of_their_own(install: Any, python: Any) -> None:
    install(
        "ot-team",
        "[offline_trainer.commands]\nsweep = team.cli:sweep\n"
        "[offline_trainer.plugins]\ntiming = team.hooks:Timing\n"
        "[offline_trainer.readers]\nfrontend.tree = team.reader:read\n",
    )
    code = """
named = lambda entries: [e.key for e in entries if e.distribution == "ot-team"]
result = [named(installed_commands()), named(installed_plugins()), named(installed_readers())]
"""
    assert python(code) == [["sweep"], ["timing"], ["frontend.tree"]]


def test_a_component_inside_an_archive_is_found(install: Callable[..., Path], python: Any, tmp_path: Path) -> None:
    import shutil

    install("ot-team", POINTS, modules={"team/losses.py": "class Huber: pass\n", "team/__init__.py": ""})
    shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path / "site")
    code = "e = installed_registry().find('loss.huber'); result = [e.label, e.target.__name__]"
    assert python(code, sites=("packed.zip",)) == ["ot-team 1.0", "Huber"]


LISTINGS = """
from offline_trainer_core import installed
def listing():
    found, broken = installed.advertisers()
    return sorted(map(list, found)), sorted(entry.name for entry in broken)
direct = listing()
installed._all_are_folders = lambda: False
"""


def test_the_folders_themselves_tell_what_importlib_metadata_tells(install: Any, python: Any) -> None:
    install("ot-team", POINTS, version="1.0", site="first", metadata="Requires-Dist: torch>=2\n\nA description: none\n")
    install("ot-team", POINTS, version="2.0", site="second")
    install("ot-hidden", "", version="2.0", site="first")
    install("ot-hidden", POINTS, site="second")
    (install("ot-nameless", POINTS, site="second") / "METADATA").write_text("Metadata-Version: 2.1\n")
    code = f"{LISTINGS}\nresult = [direct == listing(), [f[:2] for f in direct[0]], direct[1]]"
    same, found, broken = python(code, sites=("first", "second"))
    assert same
    assert ["ot-team", "1.0"] in found
    assert not [name for name, _ in found if name == "ot-hidden"]
    assert broken == ["ot_nameless-1.0.dist-info"]


def test_a_distribution_in_an_archive_is_found_through_importlib_metadata(install: Any, python: Any) -> None:
    info = install("ot-team", POINTS)
    shutil.make_archive(str(info.parent.parent / "packed"), "zip", info.parent)
    code = "from offline_trainer_core import installed as i; found = i.advertisers()[0]"
    code += "; result = [i._all_are_folders(), [advertiser.name for advertiser in found]]"
    all_are_folders, names = python(code, sites=("packed.zip",))
    assert not all_are_folders
    assert "ot-team" in names
