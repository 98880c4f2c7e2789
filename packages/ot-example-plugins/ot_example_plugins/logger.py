"""A logger."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from offline_trainer_core import RunInfo


class Markdown:
    """Leaves a report that people can read: first, lowest and last value of every metric, as a Markdown table.

    `path` is relative to the run folder.
    """

    def __init__(self, path: str = "report.md") -> None:
        self.path = path

    def open(self, run: RunInfo, resume_step: int | None) -> None:
        self.title = run.name
        self.file = Path(run.dir) / self.path
        self.rows: dict[str, tuple[float, float, float]] = {}
        self.step = resume_step or 0

    def log_metrics(self, metrics: Mapping[str, float], *, step: int, stage: str) -> None:
        self.step = step
        for name, value in metrics.items():
            key = f"{stage}/{name}"
            first, lowest, _ = self.rows.get(key, (value, value, value))
            self.rows[key] = (first, min(lowest, value), value)

    def close(self) -> None:
        lines = [
            f"# {self.title}",
            "",
            f"{self.step} steps.",
            "",
            "| metric | first | lowest | last |",
            "|---|--:|--:|--:|",
        ]
        lines += [f"| {key} | " + " | ".join(f"{value:.4g}" for value in row) + " |" for key, row in self.rows.items()]
        self.file.write_text("\n".join(lines) + "\n", encoding="utf-8")
