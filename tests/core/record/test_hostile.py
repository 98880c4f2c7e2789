"""Data is data: whatever a checkpoint or a weights file holds, loading it runs nothing of it."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from offline_trainer_core.record import CheckpointStore

pytestmark = pytest.mark.slow
HERE = Path(__file__).parent
specification = importlib.util.spec_from_file_location("hostile", HERE / "hostile.py")
hostile = importlib.util.module_from_spec(specification)
specification.loader.exec_module(hostile)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """A sound checkpoint, and a folder of hostile ones and of hostile weights files."""
    folder = tmp_path_factory.mktemp("hostile")
    sound = CheckpointStore(folder / "sound").save(
        "step_1", {"models.policy": {"w": torch.ones(2, dtype=torch.uint8)}}, counters={}
    )
    (folder / "corpus").mkdir()
    hostile.torch_files(folder / "corpus", folder / "canary")
    hostile.checkpoints(folder / "corpus", sound, folder / "canary")
    for name, data in hostile.headers().items():
        (folder / "corpus" / f"{name}.safetensors").write_bytes(data)
    return folder


def loaded(corpus, manner, paths):
    report = corpus / f"{manner}.json"
    command = [sys.executable, str(HERE / "audited_loading.py"), str(report), manner, str(corpus / "sound" / "step_1")]
    finished = subprocess.run(
        [*command, *map(str, paths)], capture_output=True, text=True, cwd=corpus, timeout=300, stdin=subprocess.PIPE
    )
    assert finished.returncode == 0, finished.stderr
    return json.loads(report.read_text())


@pytest.fixture(scope="module")
def safely(corpus):
    return loaded(corpus, "safely", sorted((corpus / "corpus").iterdir()))


def test_nothing_hostile_runs_or_ends_otherwise_than_refused_or_as_plain_data(corpus, safely):
    results = safely["results"]
    assert len(results) > 200
    wrong = {
        (Path(path).name, way): outcome
        for path, ways in results.items()
        for way, outcome in ways.items()
        if outcome["events"] or outcome["ended"] not in ("loaded", "refused")
    }
    assert wrong == {}
    assert not (corpus / "canary").exists()
    assert not list(corpus.rglob("escaped"))


def test_what_declares_terabytes_costs_no_memory(safely):
    assert safely["grown_kib"] < 600_000


def test_no_pickle_is_taken_for_anything(safely):
    gadgets = [ways for path, ways in safely["results"].items() if Path(path).name.endswith((".pt", ".bin", ".ckpt"))]
    assert len(gadgets) > 50
    assert {outcome["ended"] for ways in gadgets for outcome in ways.values()} == {"refused"}


def test_the_sound_checkpoint_is_loaded_in_every_way(corpus, safely):
    ways = safely["results"][str(corpus / "sound" / "step_1")]
    assert {outcome["ended"] for outcome in ways.values()} == {"loaded"}


def test_whoever_loads_carelessly_is_seen_to_run_code(corpus):
    """The control: the gadgets work, and the hook sees them."""
    gadgets = [corpus / "corpus" / f"zip-{name}.pt" for name in ("system", "exec", "eval", "open", "popen")]
    results = loaded(corpus, "carelessly", gadgets)["results"]
    assert all(results[str(path)]["carelessly"]["events"] for path in gadgets)
    assert (corpus / "canary").exists()
    (corpus / "canary").unlink()
