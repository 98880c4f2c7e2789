"""What the settings and the environment do not allow cannot be named, whatever group advertises it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch  # noqa: F401 - the configuration names its layers
from test_traps import CONFIG, site

__all__ = ["site"]

SETTING = "+settings={allowed_distributions: [ot-builtins, ot-policy-constructor]}"
LISTED = {"OT_ALLOWED_DISTRIBUTIONS": "ot-builtins,ot-policy-constructor"}


@pytest.fixture
def check(site, tmp_path):
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "mine.py").write_text("def register(registry): ...\nclass Mine: ...\n")

    def check(*overrides, **settings):
        path = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")]))
        env = {**os.environ, "PYTHONPATH": path, "SPRUNG": str(tmp_path), "COLUMNS": "200", **settings}
        command = [sys.executable, "-m", "offline_trainer_core", "check", "config.yaml", *overrides]
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=100)
        assert not list(tmp_path.glob("trap*")), "something was imported"
        return done.returncode, done.stdout + done.stderr

    return check


@pytest.mark.parametrize("named", ["+callbacks={_type_: cb.trap3}", "+plugins=trap3", "+plugins=trap3@ot-trap3"])
@pytest.mark.parametrize(
    ("overrides", "settings", "which"),
    [((SETTING,), {}, "settings.allowed_distributions"), ((), LISTED, "OT_ALLOWED_DISTRIBUTIONS")],
)
def test_a_package_that_is_not_allowed_is_said_to_be(check, named, overrides, settings, which):
    code, text = check(named, *overrides, **settings)
    assert code == 2
    assert "error[distribution-not-allowed]" in text
    assert f"add ot-trap3 to {which}" in text
    assert check(named)[0] == 0, "the control: it is the list that forbids it"


def test_with_plugins_disabled_nothing_is_known(check):
    code, text = check("+plugins=trap3", OT_DISABLE_PLUGINS="1")
    assert code == 2
    assert "OT_DISABLE_PLUGINS is set" in text


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["+imports=mine"], "import-not-allowed"),
        (["+imports=mine", "+settings={allowed_import_prefixes: [min]}"], "import-not-allowed"),
        (["+imports=mine", "+settings={allowed_import_prefixes: ['']}"], "import-not-allowed"),
        (["+imports=mine", "+settings={allowed_import_prefixes: [mine], allow_imports: false}"], "import-not-allowed"),
        (["+imports=mine", "+settings={allowed_import_prefixes: [mine]}"], None),
        (["+callbacks={_target_: mine.Mine}"], "target-not-allowed"),
        (["+callbacks={_target_: mine.Mine}", "+settings={allowed_import_prefixes: [mine]}"], "target-not-allowed"),
        (["+callbacks={_target_: mine.Mine}", "+settings={allow_target: true}"], "import-not-allowed"),
    ],
)
def test_code_that_no_package_advertises_is_let_in_by_name_only(check, overrides, expected):
    code, text = check(*overrides)
    assert (code, f"error[{expected}]" in text) == ((2, True) if expected else (0, False)), text
