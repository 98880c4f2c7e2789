"""The processes of a run and what they say to each other."""

from offline_trainer_core.distributed.collectives import Collectives, OneProcess, ProcessGroup, connect

__all__ = ["Collectives", "OneProcess", "ProcessGroup", "connect"]
