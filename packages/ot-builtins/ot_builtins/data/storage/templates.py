"""Where the files of a recording lie: templates in a file that a stranger may have written, kept inside its folder."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath, PureWindowsPath
from string import Formatter

from offline_trainer_core.errors import DataError

__all__ = ["PathTemplate"]

_NUMBER = re.compile(r"(0?\d{1,2})?d?")
"""A format of at most two digits of width: `{episode_index:0999999999d}` would fill the memory."""


class PathTemplate:
    """Paths such as `videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4`.

    Raises `DataError` for a template or a path that leads out of the folder, and for anything in braces but these three
    names: a format can reach the attributes of what it is given.
    """

    def __init__(self, folder: Path, name: str, template: object, names: tuple[str, ...]) -> None:
        self._folder, self._where = folder, f"{folder / 'meta' / 'info.json'}: {name}"
        if not isinstance(template, str):
            raise DataError(f"{self._where} is {template!r}; it must be a path such as data/{{episode_index}}.parquet")
        self._refuse_outside(template)
        self._refuse_fields(template, names)
        self._template = template

    def path(self, **values: int | str) -> Path:
        """Return the path for these numbers and names."""
        relative = self._template.format(**values)
        self._refuse_outside(relative)
        return self._folder / relative

    def _refuse_outside(self, path: str) -> None:
        windows = PureWindowsPath(path)
        absolute = PurePosixPath(path).is_absolute() or windows.drive or windows.root
        if absolute or ".." in windows.parts or "\0" in path:
            raise DataError(f"{self._where} gives '{path}', which leads out of the recording's folder; it must be "
                            "a relative path without '..'")  # fmt: skip

    def _refuse_fields(self, template: str, names: tuple[str, ...]) -> None:
        try:
            parts = list(Formatter().parse(template))
        except ValueError as error:
            raise DataError(f"{self._where} is no template: {error}") from None
        for _, field, form, conversion in parts:
            if field is not None and (field not in names or conversion or not _NUMBER.fullmatch(form or "")):
                allowed = ", ".join(f"{{{name}}}" for name in names)
                raise DataError(f"{self._where} is '{template}'; allowed in braces: {allowed}, numbers with a width "
                                "below 100")  # fmt: skip
