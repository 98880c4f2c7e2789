"""A campaign needs `/proc`, to find every process of a run, and a pathlib that calls `os` by name."""

import sys

collect_ignore = [] if sys.platform == "linux" and sys.version_info >= (3, 11) else ["test_torture.py"]
