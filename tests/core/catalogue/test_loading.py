"""An entry that cannot be used says which one it is, why, and what mends it."""

from __future__ import annotations

from typing import Any

LOAD = """
try:
    entry = installed_registry().find({key!r})
    result = repr(entry.load())
except ComponentError as error:
    result = str(error)
"""
POINTS = "[offline_trainer.components]\nloss.huber = team.losses:Huber\n"


def load(python: Any, key: str = "loss.huber") -> str:
    text: str = python(LOAD.format(key=key))
    return text


def losses(source: str) -> dict[str, str]:
    return {"team/__init__.py": "", "team/losses.py": source}


def test_a_good_entry_loads(install: Any, python: Any) -> None:
    install("ot-team", POINTS, modules=losses("class Huber: pass\n"))
    assert load(python) == "<class 'team.losses.Huber'>"


def test_a_missing_dependency_of_an_extra_names_the_extra(install: Any, python: Any) -> None:
    metadata = "Provides-Extra: rotary\nRequires-Dist: einops-nowhere>=1; extra == 'rotary'\n"
    install("ot-team", POINTS, metadata=metadata, modules=losses("import einops_nowhere\n"))
    message = load(python)
    assert "loss.huber of ot-team 1.0 (team.losses:Huber) cannot be imported" in message
    assert "No module named 'einops_nowhere'" in message
    assert message.endswith("pip install 'ot-team[rotary]'")


def test_a_missing_dependency_without_an_extra_is_installed_itself(install: Any, python: Any) -> None:
    install("ot-team", POINTS, metadata="Requires-Dist: einops-nowhere>=1\n", modules=losses("import einops_nowhere\n"))
    assert load(python).endswith("pip install 'einops-nowhere>=1'")


def test_a_missing_module_that_no_metadata_knows_is_installed_by_its_name(install: Any, python: Any) -> None:
    install("ot-team", POINTS, modules=losses("import einops_nowhere.layers\n"))
    assert load(python).endswith("pip install 'einops_nowhere'")


def test_a_missing_module_of_its_own_is_reinstalled(install: Any, python: Any) -> None:
    install("ot-team", POINTS, modules={"team/__init__.py": ""})
    assert load(python).endswith("pip install --force-reinstall --no-deps 'ot-team==1.0'")


def test_a_misspelled_attribute_names_the_nearest(install: Any, python: Any) -> None:
    install("ot-team", POINTS, modules=losses("class HuberLos: pass\nclass Huberr: pass\n"))
    message = load(python)
    assert "its module has no 'Huber'" in message
    assert "Huberr" in message


def test_an_import_that_raises_keeps_its_cause(install: Any, python: Any) -> None:
    install("ot-team", POINTS, modules=losses("raise RuntimeError('no license')\n"))
    message = load(python)
    assert "cannot be imported: no license" in message
    assert "pip install --upgrade ot-team" in message


def test_a_plugin_for_another_core_is_refused_before_it_is_imported(install: Any, python: Any) -> None:
    install("offline-trainer-core", version="0.1.0", site="core_metadata")
    metadata = "Requires-Dist: offline-trainer-core<0.3,>=0.2\n"
    install("ot-team", POINTS, metadata=metadata, modules=losses("raise RuntimeError('imported')\n"))
    message = python(LOAD.format(key="loss.huber"), sites=("core_metadata", "site"))
    assert "it needs offline-trainer-core <0.3,>=0.2, and 0.1.0 is installed" in message
    assert "pip install --upgrade ot-team" in message
    assert "imported" not in message.replace("cannot be imported", "")


def test_a_plugin_for_this_core_is_not_refused(install: Any, python: Any) -> None:
    install("offline-trainer-core", version="0.2.1", site="core_metadata")
    metadata = "Requires-Dist: offline-trainer-core<0.3,>=0.2\n"
    install("ot-team", POINTS, metadata=metadata, modules=losses("class Huber: pass\n"))
    assert python(LOAD.format(key="loss.huber"), sites=("core_metadata", "site")) == "<class 'team.losses.Huber'>"


def test_missing_extras_are_known_without_importing(install: Any, python: Any) -> None:
    metadata = "Provides-Extra: x\nRequires-Dist: nowhere>=2; extra == 'x'\nRequires-Dist: pluggy>=1; extra == 'x'\n"
    install("ot-team", "[offline_trainer.components]\nlog.x = team:X [x]\nlog.y = team:Y\n", metadata=metadata)
    code = """
registry = installed_registry()
result = [registry.find("log.x").missing_extras(), registry.find("log.y").missing_extras(), "team" in sys.modules]
result.append(registry.find("log.x").extras_command)
"""
    assert python(code) == [["nowhere>=2"], [], False, "pip install 'ot-team[x]'"]


def test_the_code_digest_follows_the_code_and_nothing_else(install: Any, python: Any) -> None:
    def digest(version: str, *rows: str) -> str:
        info = install("ot-team", version=version, site=version)
        (info / "RECORD").write_text("\n".join(rows) + "\n")
        found: str = python("result = code_digest('ot-team')", sites=(version,))
        return found

    first = digest("1", "team/a.py,sha256=AAA,1", "team/b.py,sha256=BBB,1")
    other_order = digest("2", "team/b.py,sha256=BBB,1", "team/a.py,sha256=AAA,1")
    other_place = digest("3", "team/a.py,sha256=AAA,1", "team/b.py,sha256=BBB,1", "../../bin/team,sha256=CCC,1")
    changed = digest("4", "team/a.py,sha256=AAA,1", "team/b.py,sha256=XXX,1")
    assert first == other_order == other_place
    assert changed != first
    assert python("result = code_digest('nowhere')") is None
