from __future__ import annotations

from pathlib import Path

from offline_trainer_core import RunInfo
from ot_example_plugins.logger import Markdown


def test_it_writes_a_table_of_first_lowest_and_last_values(tmp_path: Path) -> None:
    logger = Markdown("report.md")
    logger.open(RunInfo("swing-up", tmp_path), None)
    for step, loss in ((10, 4.0), (20, 1.0), (30, 2.0)):
        logger.log_metrics({"loss": loss}, step=step, stage="train")
    logger.log_metrics({"loss": 0.123456}, step=30, stage="val")
    logger.close()
    assert (tmp_path / "report.md").read_text().splitlines() == [
        "# swing-up",
        "",
        "30 steps.",
        "",
        "| metric | first | lowest | last |",
        "|---|--:|--:|--:|",
        "| train/loss | 4 | 1 | 2 |",
        "| val/loss | 0.1235 | 0.1235 | 0.1235 |",
    ]
