"""The configurations name classes of torch, and what those take is read from its source."""

from importlib.util import find_spec

if find_spec("torch") is None:
    collect_ignore_glob = ["test_*.py"]
