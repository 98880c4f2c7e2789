"""What a run leaves behind: its folder, its metrics, its checkpoints."""

from offline_trainer_core.record.checkpoint import Checkpoint, load_checkpoint
from offline_trainer_core.record.environment import describe_environment, what_bits_depend_on
from offline_trainer_core.record.exclusive import exclusive, refuse_running
from offline_trainer_core.record.files import FileEntry
from offline_trainer_core.record.folder import MASKED, RunFolder
from offline_trainer_core.record.heartbeat import Heartbeat
from offline_trainer_core.record.listing import RunSummary, list_runs
from offline_trainer_core.record.manifest import Manifest
from offline_trainer_core.record.metrics import RecordLogger, read_metrics
from offline_trainer_core.record.status import RunStatus
from offline_trainer_core.record.store import CheckpointStore
from offline_trainer_core.record.weights import load_weights

__all__ = [
    "MASKED",
    "Checkpoint",
    "CheckpointStore",
    "FileEntry",
    "Heartbeat",
    "Manifest",
    "RecordLogger",
    "RunFolder",
    "RunStatus",
    "RunSummary",
    "describe_environment",
    "exclusive",
    "list_runs",
    "load_checkpoint",
    "load_weights",
    "read_metrics",
    "refuse_running",
    "what_bits_depend_on",
]
