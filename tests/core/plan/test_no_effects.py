"""Checking a configuration against really installed distributions imports none of them, and no torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

TRAP = "from pathlib import Path\nPath('sprung').write_text('x')\nprint('sprung')\nraise SystemExit('sprung')\n"
TEAM = (
    TRAP
    + """
class Part:
    def __init__(self, size: int = 1): ...
"""
)
KEYS = ["trainer.default", "algo.team.cloning", "data.team.logs", "block.team.mlp", "strategy.single", "launcher.local"]
CONFIG = """
schema_version: 1
run: {name: a, out_dir: b}
model: {_type_: block.team.mlp, size: 3}
algorithm: {_type_: algo.team.cloning}
data: {_type_: data.team.logs, size: SIZE}
loggers: [LOGGER]
"""
CODE = """
import json, sys
from offline_trainer_core.catalogue import installed_registry
from offline_trainer_core.config import resolve_config
from offline_trainer_core.plan import check_config_tree
report = check_config_tree(resolve_config("config.yaml"), installed_registry())
problems = [[p.code, p.config_path, p.fix] for p in report.problems]
imported = sorted({"torch", "team", "trap"} & set(sys.modules))
print(json.dumps({"problems": problems, "imported": imported, "plan": report.plan.to_json()}))
"""


def install(site: Path, name: str, module: str, source: str, entry_points: str, metadata: str = "") -> None:
    info = site / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{metadata}")
    (info / "entry_points.txt").write_text(f"[offline_trainer.components]\n{entry_points}")
    (info / "RECORD").write_text(f"{module}.py,sha256=AAAA,1\n{info.name}/METADATA,sha256=BBBB,1\n")
    (site / f"{module}.py").write_text(source)


def check(tmp_path: Path, size: str = "3", logger: str = "") -> dict[str, Any]:
    site = tmp_path / "site"
    metadata = "Provides-Extra: cloud\nRequires-Dist: no-such-client>=2; extra == 'cloud'\n"
    points = "".join(f"{key} = team:Part\n" for key in KEYS) + "log.team.cloud = team:Part [cloud]\n"
    install(site, "ot-team", "team", TEAM, points, metadata)
    install(site, "ot-trap", "trap", TRAP, "loss.trap = trap:Trap\nfrontend.trap = trap:build\n")
    (tmp_path / "config.yaml").write_text(CONFIG.replace("SIZE", size).replace("LOGGER", logger))
    path = os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])
    env = {**os.environ, "PYTHONPATH": path, "OT_ALLOWED_DISTRIBUTIONS": "ot-team,ot-trap"}
    done = subprocess.run([sys.executable, "-c", CODE], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "sprung").exists()
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def test_neither_a_named_nor_an_unnamed_plugin_is_imported(tmp_path: Path) -> None:
    result = check(tmp_path)
    assert result["problems"] == []
    assert result["imported"] == []
    assert result["plan"]["entries"]["data"]["reference"] == "team:Part"


def test_arguments_are_checked_all_the_same(tmp_path: Path) -> None:
    assert check(tmp_path, size="'many'")["problems"] == [["wrong-type", "data.size", None]]


def test_a_missing_extra_is_an_error_with_the_command_that_installs_it(tmp_path: Path) -> None:
    result = check(tmp_path, logger="{_type_: log.team.cloud}")
    assert result["problems"] == [["missing-extra", "loggers[0]._type_", "pip install 'ot-team[cloud]'"]]


def test_the_plan_knows_the_code_of_each_distribution_that_takes_part(tmp_path: Path) -> None:
    distributions = check(tmp_path)["plan"]["distributions"]
    assert list(distributions) == ["ot-team"]
    assert distributions["ot-team"]["code"].startswith("xxh3:")
