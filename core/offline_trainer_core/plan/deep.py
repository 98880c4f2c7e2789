"""The check of arguments that no source tells: it imports the components and asks Python."""

from __future__ import annotations

from offline_trainer_core.catalogue import Registry
from offline_trainer_core.config import Config, Found
from offline_trainer_core.errors import ComponentError
from offline_trainer_core.plan.arguments import ArgumentCheck, check_call
from offline_trainer_core.plan.calls import Call, calls_of
from offline_trainer_core.plan.names import Names, resolve_names
from offline_trainer_core.signature import Signature
from offline_trainer_core.signature.live import signature_of

__all__ = ["check_arguments_live"]


def check_arguments_live(config: Config, registry: Registry) -> ArgumentCheck:
    """Check the calls that `check_arguments` leaves unchecked, with signatures of imported components.

    What cannot be imported is passed over: importing all that the plan names reports it.
    """
    names = resolve_names(config, registry)
    problems = Found()
    unread: list[str] = []
    calls = [call for call in calls_of(names) if call.entry.live is not None or names.signature(call.entry) is None]
    for call in calls:
        signature = _live(call, names)
        if signature is None:
            unread.append(call.entry.key)
        else:
            problems += check_call(call, signature, names.folders)
    return ArgumentCheck(problems, len(calls) - len(unread), tuple(dict.fromkeys(unread)))


def _live(call: Call, names: Names) -> Signature | None:
    try:
        return names.signature(call.entry) or signature_of(call.entry.load())
    except ComponentError:
        return None
