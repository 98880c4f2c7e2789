"""The README's example runs, and prints what it says."""

import contextlib
import io
import re
from pathlib import Path

import pytest

pytest.importorskip("torch")

README = Path(__file__).parents[2] / "packages" / "ot-policy-constructor" / "README.md"


def test_the_example_of_the_readme_runs(tmp_path, monkeypatch):
    blocks = dict(re.findall(r"```(yaml|python)\n(.*?)```", README.read_text(), re.DOTALL))
    (tmp_path / "critic.yaml").write_text(blocks["yaml"])
    monkeypatch.chdir(tmp_path)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(blocks["python"], str(README), "exec"), {})
    shape, names, *code = printed.getvalue().splitlines()
    assert shape == "torch.Size([32, 1])"
    assert names.startswith("['trunk.0.weight', 'trunk.0.bias'")
    assert names.endswith("'q.weight', 'q.bias']")
    assert any("def forward(self, obs, act)" in line for line in code)
