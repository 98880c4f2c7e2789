"""The picture as a file: the same bytes for the same policy, and text that stays text."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from offline_trainer_core import ComponentError, UsageError
from ot_policy_constructor.inspection.survey import Survey

__all__ = ["FORMATS", "draw_into", "refuse_file"]

FORMATS = ("svg", "png", "pdf")
_DPI = 144
"""Of a .png: at 100 % on a screen of twice the usual density it is as large as the other forms."""
_UNDATED: dict[str, dict[str, Any]] = {
    "svg": {"Date": None},
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Producer": None, "Creator": None},
}


def refuse_file(out: Path) -> None:
    """Raise `UsageError` where a picture cannot be written to `out`, `ComponentError` where nothing here can draw."""
    if out.suffix.removeprefix(".").lower() not in FORMATS:
        found = f"'{out.suffix}'" if out.suffix else "a name without an extension"
        allowed = ", ".join(f".{name}" for name in FORMATS)
        raise UsageError(f"-o {out}: {found} is no form of picture that can be drawn; the name must end in {allowed}")
    if not out.parent.is_dir():
        raise UsageError(f"-o {out}: there is no folder {out.parent}")
    for library in ("igraph", "matplotlib"):
        try:
            import_module(library)
        except ModuleNotFoundError as error:
            raise ComponentError(
                f"drawing needs {library}, which is not installed\n"
                "  to mend it: pip install 'ot-policy-constructor[draw]'"
            ) from error


def draw_into(out: Path, survey: Survey, title: str) -> None:
    """Draw the policy of `survey` into `out`, whose extension says in which form."""
    import matplotlib

    from ot_policy_constructor.inspection.drawing.contents import scene_of
    from ot_policy_constructor.inspection.drawing.painting import figure_of
    from ot_policy_constructor.inspection.drawing.sheet import lay_out

    form = out.suffix.removeprefix(".").lower()
    scene = scene_of(survey, title)
    # Text as text can be searched, copied and read aloud; the salt makes the ids in an .svg repeatable.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "ot", "pdf.fonttype": 42}):
        figure_of(lay_out(scene), scene.lines).savefig(out, format=form, dpi=_DPI, metadata=_UNDATED[form])
