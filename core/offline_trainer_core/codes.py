"""What every code of a `Problem` means, and what to do about it.

Codes are stable: programs that read `ot check --format json` may rely on them. A package whose reader or build reports
codes of its own has a table like this one. `docs/errors.md` shows each with an example.
"""

from __future__ import annotations

__all__ = ["CODES"]

CODES: dict[str, str] = {
    # The text of a file.
    "missing-file": "A file that is named is not there. Paths are relative to the file that names them.",
    "unreadable-file": "A file is there and cannot be read. Mend its permissions, or name a file instead of a folder.",
    "empty-file": "A file holds nothing, or comments only. Write into it, or take it out of `defaults`.",
    "bad-encoding": "A file is not UTF-8. Save it as UTF-8.",
    "bad-character": "A text has a character that YAML does not allow. Write it as an escape in double quotes.",
    "yaml-syntax": "The text is not YAML: an open bracket or quote, a tab, a wrong indentation.",
    "multiple-documents": "A file holds several documents, divided by `---`. Make them files, and compose those.",
    "not-a-mapping": "A file holds a list or a single value. A configuration is a mapping from keys to values.",
    "duplicate-key": "A key stands twice in one mapping. YAML would keep the last and drop the first silently.",
    "bad-key": "A key is not a string. Quote it.",
    "merge-key": "`<<` is not part of the language. Share values by `templates` or by `defaults`.",
    "unknown-tag": "A tag such as `!!python/object` asks for a type that a configuration cannot have. Leave it out.",
    "bad-tag": "A value does not fit the tag before it, as in `!!int many`. Correct one of them.",
    "bad-value": "A configuration that is passed as a Python mapping holds an object that is no plain data.",
    "too-deep": "Values, files or templates nest deeper than the language allows. Flatten them.",
    "too-large": "A file, a value or the whole configuration is larger than the language allows. Move data out of it.",
    # Composition: files, merging, overrides, templates, interpolation.
    "cycle": "Files, templates, values or aliases refer to each other in a circle. Cut it at one of the places shown.",
    "bad-defaults": "`defaults` is not a list of files, or stands where no file can be meant.",
    "bad-merge": "A merge container (`_merge_`, `_value_`, `key`) is incomplete, or cannot be carried out here.",
    "bad-override": "An argument of the command line is not of the form `path=value`, `+path=value` or `~path`.",
    "unknown-path": "An override or a `${...}` names a place that does not exist. `+path=value` creates one.",
    "bad-template": "`templates` or `_template_` does not have the form that the language asks for.",
    "unknown-template": "`_template_` names a template that `templates` does not have.",
    "bad-expression": "A `${...}` cannot be read: it is empty, nested, not closed, or of an unknown form.",
    "written-secret": "A value looks like a token or has a password in it. Export it, and write `${env:NAME}` instead.",
    "missing-environment-variable": "`${env:NAME}` reads a variable that is not set. Export it, or give a default.",
    "bad-cast": "The text of an environment variable is not of the type that `${env:type:NAME}` asks for.",
    # Sections and keys.
    "schema-version": "`schema_version` is missing. Say `schema_version: 1`.",
    "missing-section": "A section that the experiment needs is missing.",
    "missing-key": "A mapping lacks a key that it must have.",
    "unknown-key": "A key is none of those that may stand in this mapping.",
    "reserved-key": "A key of the form `_name_` is none that the language knows, or stands outside of a spec.",
    "conflicting-keys": "Two keys exclude each other. Keep one.",
    "wrong-type": "A value is not of the type that its place takes.",
    "one-form": "A model is given in no form or in several. Give it in one: a frontend, a spec, or a file.",
    # Components and what they are called with.
    "missing-type": "A mapping stands where a component must, and does not say which. Add `_type_`.",
    "unknown-component": "No installed package offers the component. Correct the name, or install its package.",
    "unseen-component": "The component is unknown, but local code registers some under names that only running tells.",
    "ambiguous-component": "Several packages offer the component. Say which one: `_type_: name@package`.",
    "wrong-kind": "A component of another kind stands here, such as a loss where data must.",
    "unknown-argument": "The component does not take an argument of this name.",
    "renamed": "The name is one of before: its package renamed it. `ot migrate --in-place` rewrites it.",
    "removed": "The name is one of before: its package removed it. The message says what to do instead.",
    "missing-argument": "The component needs an argument that is not given.",
    "duplicate-argument": "An argument is given twice: by name and by position, or beside `_kwargs_` and in it.",
    "too-many-arguments": "`_args_` has more values than the component takes by position.",
    "spec-in-data": "The arguments of an optimizer or scheduler class are plain data, and a spec stands among them.",
    # Packages, local code and what may be imported.
    "unknown-plugin": "No installed package offers the hook plugin that stands under `plugins`.",
    "incompatible-plugin": "The package was made for another version of the core. Install one that fits.",
    "missing-extra": "The component needs an optional dependency of its package that is not installed.",
    "missing-module": "A module is not there. Install what brings it, or correct its name.",
    "distribution-not-allowed": "What is named comes from a package that the settings or the environment do not allow.",
    "target-form": "`_target_` is not of the form `module.attribute`.",
    "target-not-allowed": "`_target_` is off. Name an installed component, or set `settings.allow_target`.",
    "import-not-allowed": "The settings do not let this module be imported. See `settings.allowed_import_prefixes`.",
    "import-failed": "`ot check --deep` could not import a component or a local module. The message has the cause.",
    "duplicate-import": "A module or a hook plugin is listed twice. Remove one.",
    "no-register": "A local module has no function `register(registry)`, so it would provide nothing.",
    "reader-failed": "The reader of a component failed on its arguments. That is a bug of its package.",
    # What must hold between sections.
    "wrong-device": "`run.device` is none of `auto`, `cpu`, `cuda`, `cuda:N`.",
    "wrong-duration": "A time is none that SLURM would read: minutes, `HH:MM:SS`, `D-HH:MM:SS`.",
    "wrong-name": "A name that becomes the name of a file or folder cannot be one.",
    "precision-device": "The device cannot compute in this precision.",
    "model-inputs": "What `io` gives the model is not what the model takes.",
    "unknown-field": "A field is read or normalized that the batches of the data do not have.",
    "unknown-target": "A target is read that `io` does not give.",
    "unknown-output": "An output is read that the model does not return.",
    "unknown-metric": "A number is monitored that validation does not give.",
    "missing-monitor": "A scheduler steps on a metric, and does not say on which.",
    "wrong-normalization": "A field is normalized in a way that is not known.",
    "unknown-model-component": "A model component is named, by an optimizer or an algorithm, that does not exist.",
    "frozen-optimizer": "An optimizer is given for a model component that is frozen.",
    "unknown-optimizer": "A scheduler is named after an optimizer that does not exist.",
    "scheduler-names": "Schedulers are given by name, and there is only one optimizer, without a name.",
    "too-many-problems": "There are more problems than are shown. Mend those first.",
    # Files of older dialects.
    "older-dialect": "A file of an older dialect; its translation is used. `ot migrate --in-place` makes it permanent.",
    "translation-note": "What the translation of an older file assumes, because that file does not say it.",
    "not-carried-over": "A value of an older file has no place in today's language. Its translation keeps a comment.",
}
