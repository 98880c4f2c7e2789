import sys

import pytest

from offline_trainer_core.testing import DistributionContract

SOURCE = '''
class Documented:
    """What it is for."""
    def __init__(self, a, b=1): ...

class Silent:
    def __init__(self, a): ...

def _made():
    def made(a):
        """What it is for."""
    return made

dark = _made()

class Boastful:
    """What it is for."""
    harmless = ("b",)
    def __init__(self, a): ...

class Deceptive:
    """What it is for."""
    def __init__(self, a): ...

def other(self, a, b): ...
Deceptive.__init__ = other
'''


class TestSound(DistributionContract):
    breaks = ()
    distribution = "ot-control"
    target = "Documented"

    @pytest.fixture(autouse=True)
    def _installed(self, tmp_path, monkeypatch):
        (tmp_path / "ot_control.py").write_text(SOURCE)
        information = tmp_path / "ot_control-1.0.dist-info"
        information.mkdir()
        (information / "METADATA").write_text("Metadata-Version: 2.1\nName: ot-control\nVersion: 1.0\n")
        (information / "entry_points.txt").write_text(
            f"[offline_trainer.components]\nmodel.control = ot_control:{self.target}\n"
        )
        monkeypatch.syspath_prepend(tmp_path)
        yield
        sys.modules.pop("ot_control", None)


class TestNotThere(TestSound):
    breaks = ("test_something_is_advertised",)
    distribution = "ot-no-such-distribution"


class TestBroken(TestSound):
    breaks = (
        "test_every_target_can_be_imported",
        "test_every_component_says_what_it_is_for",
        "test_every_signature_can_be_read_without_importing",
        "test_what_is_declared_harmless_are_arguments",
    )
    target = "NoSuchClass"


class TestSilent(TestSound):
    breaks = ("test_every_component_says_what_it_is_for",)
    target = "Silent"


class TestDark(TestSound):
    breaks = ("test_every_signature_can_be_read_without_importing",)
    target = "dark"


class TestDeceptive(TestSound):
    breaks = ("test_signatures_read_from_source_are_those_at_run_time",)
    target = "Deceptive"


class TestBoastful(TestSound):
    breaks = ("test_what_is_declared_harmless_are_arguments",)
    target = "Boastful"
