"""One short text that says whether two configurations are the same."""

from __future__ import annotations

from offline_trainer_core.config.resolved import Config
from offline_trainer_core.config.secrets import masked

__all__ = ["config_digest"]


def config_digest(config: Config) -> str:
    """Return the xxh3 of the resolved values as canonical JSON: sorted keys, no spaces, ASCII.

    Secrets do not take part: a renewed token does not make another configuration.
    """
    import json

    import xxhash

    text = json.dumps(masked(config), sort_keys=True, separators=(",", ":"))
    return f"xxh3:{xxhash.xxh3_128_hexdigest(text.encode('ascii'))}"
