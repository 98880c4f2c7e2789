from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pusht_report import as_table, draw
from pusht_scores import summary


def scored(*rates: float) -> dict[str, Any]:
    """Return the summary of a training seed for each rate of success, of ten episodes."""
    return summary(
        {
            seed: [
                {"seed": i, "success": i < 10 * rate, "coverage_max": 1.0 if i < 10 * rate else 0.5} for i in range(10)
            ]
            for seed, rate in enumerate(rates)
        }
    )


CURVES = {"bc": {500: scored(0.9, 0.9), 1000: scored(0.1, 0.3)}, "flow_matching": {500: scored(0.6)}}


def test_the_table_shows_the_last_step_of_each_algorithm() -> None:
    low, high = scored(0.1, 0.3)["success_interval"]
    bottom, top = scored(0.1, 0.3)["coverage_interval"]
    bc, flow_matching = as_table(CURVES).splitlines()[2:]
    success, coverage = f"{100 * low:.1f} to {100 * high:.1f} %", f"{bottom:.3f} to {top:.3f}"
    assert bc == f"| bc | 1,000 | 20.0 % | {success} | 10 30 | 0.600 | {coverage} | 0.550 0.650 |"
    assert flow_matching == "| flow_matching | 500 | 60.0 % | 31.3 to 83.2 % | 60 | 0.800 | 0.650 to 0.950 | 0.800 |"


def test_every_row_has_the_cells_of_the_head() -> None:
    assert {line.count("|") for line in as_table(CURVES).splitlines()} == {9}


def test_the_plot_has_the_points_of_the_curves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    from matplotlib.figure import Figure

    figures: list[Figure] = []
    save = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda figure, *a, **k: (figures.append(figure), save(figure, *a, **k)))
    draw(CURVES, "Push-T", tmp_path / "scores.png")
    assert (tmp_path / "scores.png").read_bytes().startswith(b"\x89PNG")
    success, coverage = figures[0].axes
    drawn = {line.get_label(): line.get_xydata().tolist() for line in success.lines if line.get_linewidth() == 2}
    assert drawn == {"bc": [[500, 0.9], [1000, pytest.approx(0.2)]], "flow matching": [[500, 0.6]]}
    assert [line.get_ydata()[0] for line in success.lines if "LeRobot" in line.get_label()] == [0.654]
    assert len(coverage.lines) == len(success.lines) - 2
