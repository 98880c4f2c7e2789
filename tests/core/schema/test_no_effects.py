"""Writing the schema runs no code of what is installed, and does not load torch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

TRAP = "from pathlib import Path\nPath('sprung').write_text('x')\nraise SystemExit('sprung')\n"
PARTS = f"""{TRAP}
class Part:
    def __init__(self, size: int = 1): ...

WIRES = {{"type": "object"}}
"""
POINTS = """[offline_trainer.components]
loss.trap = trap:Part
frontend.trap = trap:Part

[offline_trainer.schemas]
frontend.trap = trap:WIRES
"""
CODE = """
import sys
opened = []
sys.addaudithook(lambda event, args: opened.append(args[0]) if event == "import" else None)
from offline_trainer_core.cli.group import ot
ot.main(["schema", "-o", "schema.json"], standalone_mode=False)
roots = {name.partition(".")[0] for name in [*opened, *sys.modules]}
print(sorted(name for name in roots if name in ("torch", "trap") or name.startswith("ot_")))
"""


def test_writing_the_schema_imports_no_component(tmp_path: Path) -> None:
    info = tmp_path / "ot_trap-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ot-trap\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(POINTS)
    (tmp_path / "trap.py").write_text(PARTS)
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{CODE}"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("[]\n", 0), done.stderr
    assert not (tmp_path / "sprung").exists()
    definitions = json.loads((tmp_path / "schema.json").read_text(encoding="utf-8"))["definitions"]
    assert definitions["loss.trap"]["properties"]["size"]["default"] == 1  # it was read
    assert definitions["frontend.trap"]["type"] == "object"
    assert "trainer.default" in definitions


def test_the_trap_would_have_sprung(tmp_path: Path) -> None:
    (tmp_path / "trap.py").write_text(PARTS)
    done = subprocess.run([sys.executable, "-c", "import trap"], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode != 0
    assert (tmp_path / "sprung").exists()
