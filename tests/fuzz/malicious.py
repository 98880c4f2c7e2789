"""Configurations that were made to do harm. `python tests/fuzz/malicious.py FOLDER` writes them all as files.

They stand in a table of escapes, not in files: half of them no editor shows as they are.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

__all__ = ["MALICIOUS", "write_malicious"]

Text = str | bytes

_SECTIONS = {
    "schema_version": "1",
    "run": "{name: a, out_dir: runs}",
    "model": "{sequential: {inputs: [x], layers: [{_type_: block.mlp, dims: [3, 2]}]}}",
    "data": "{_type_: data.random_regression, batch_size: 4, steps_per_epoch: 3, x_shape: [3], y_shape: [2]}",
    "io": "{_type_: io.mapping, model_kwargs: {x: x}, targets: {y: y}}",
    "loss": "{_type_: loss.torch, fn: MSELoss}",
    "optimizer": "{_type_: optim_factory.torch, type: SGD, kwargs: {lr: 0.1}}",
}


def experiment(**changed: str) -> str:
    """Return an experiment in which nothing is wrong but what is `changed`."""
    return "".join(f"{key}: {text}\n" for key, text in {**_SECTIONS, **changed}.items())


def _doubled(levels: int, first: str, line: str) -> str:
    """Return a text that grows twice as large with every level."""
    return first + "".join(line.format(i=i, b=i - 1) for i in range(1, levels))


_LAUGHS = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 10)
)

ALIASES: dict[str, Text] = {
    "billion-laughs": _LAUGHS,
    "billion-laughs-in-mappings": "a0: &a0 {k: v}\n"
    + "".join(f"a{i}: &a{i} {{{', '.join(f'k{j}: *a{i - 1}' for j in range(9))}}}\n" for i in range(1, 10)),
    "quadratic-blow-up": f"a: &a [{'x, ' * 1000}x]\nb: [{'*a, ' * 1000}*a]\n",
    "long-string-by-alias": f"a: &a {'x' * 100_000}\nb: [{'*a, ' * 1000}*a]\n",
    "recursive-list": "a: &a [*a]\n",
    "recursive-mapping": "a: &a {b: {c: *a}}\n",
    "recursive-root": "&a\na: *a\n",
    "alias-as-key": "a: &a key\n*a : 1\n",
    "collection-alias-as-key": "a: &a {b: 1}\n*a : 1\n",
    "alias-before-anchor": "a: *b\nb: &b 1\n",
    "anchor-set-twice": "a: &a 1\nb: &a 2\nc: *a\n",
    "chain-of-aliases": "a0: &a0 []\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 5000)),
    "long-anchor-name": f"a: &{'x' * 100_000} 1\n",
    "recursive-template": "templates: &t {a: *t}\nb: {_template_: a}\n",
}
DEPTH: dict[str, Text] = {
    "open-brackets": "[" * 60_000,
    "open-braces": "{" * 60_000,
    "closed-brackets": "a: " + "[" * 100_000 + "]" * 100_000,
    "nested-braces": "{a: " * 100_000 + "}" * 100_000,
    "dashes": "- " * 10_000 + "a",
    "question-marks": "? " * 60_000 + "a",
    "indentation": "\n".join(" " * i + "a:" for i in range(2000)),
    "block-and-flow": "\n".join(" " * i + "a:" for i in range(99)) + " " + "[" * 99 + "]" * 99,
    "brackets-in-quotes": "a: '" + "[" * 100_000 + "'\n",
    "brackets-in-comment": "a: 1 #" + "[" * 100_000 + "\n",
    "brackets-behind-carriage-returns": "a:\r" + "".join(" " * i + "- \r" for i in range(2000)),
}
TAGS: dict[str, Text] = {
    "python-apply": "a: !!python/object/apply:os.system ['touch sprung']\n",
    "python-new": "a: !!python/object/new:subprocess.Popen [['touch', 'sprung']]\n",
    "python-name": "a: !!python/name:os.system\n",
    "python-module": "a: !!python/module:antigravity\n",
    "python-object": "a: !!python/object:os.system {}\n",
    "python-tuple": "a: !!python/tuple [1, 2]\n",
    "python-key": "? !!python/object/apply:os.system ['touch sprung']\n: 1\n",
    "python-verbatim": "a: !<tag:yaml.org,2002:python/object/apply:os.system> ['touch sprung']\n",
    "tag-directive": "%TAG ! tag:yaml.org,2002:python/object/apply:\n---\na: !os.system ['touch sprung']\n",
    "tag-directive-of-core": "%TAG !! tag:evil.example,2026:\n---\na: !!int 3\n",
    "tag-directive-twice": "%TAG !e! tag:x,\n%TAG !e! tag:y,\n---\na: 1\n",
    "yaml-directive": "%YAML 9.9\n---\na: 1\n",
    "unknown-handle": "a: !e!x 1\n",
    "tag-of-own": "a: !x 1\n",
    "tag-set": "a: !!set {x, y}\n",
    "tag-omap": "a: !!omap [x: 1, y: 2]\n",
    "tag-pairs": "a: !!pairs [x: 1, x: 2]\n",
    "tag-binary": "a: !!binary R0lGODlhDAAMAIQ\n",
    "tag-timestamp": "a: !!timestamp 2026-02-30T25:61:61Z\n",
    "tag-merge": "a: !!merge <<\n",
    "tag-value": "a: !!value =\n",
    "tag-int-of-text": "a: !!int os.system\n",
    "tag-float-of-huge-integer": f"a: !!float {'9' * 900}\n",
    "tag-bool-of-number": "a: !!bool 1\n",
    "tag-map-on-list": "a: !!map [1]\n",
    "tag-on-alias": "a: &a 1\nb: !!str *a\n",
    "long-tag": f"a: !{'x' * 100_000} 1\n",
    "tag-with-escapes": "a: !<%1b%5b31m> 1\n",
}
SCALARS: dict[str, Text] = {
    "huge-scalar": f"a: {'x' * 2_000_000}\n",
    "huge-key": f"{'x' * 200_000}: 1\n",
    "huge-block-scalar": "a: |\n" + "  x\n" * 600_000,
    "huge-escaped-scalar": 'a: "' + "\\x41" * 500_000 + '"\n',
    "integer-of-100000-digits": f"a: {'9' * 100_000}\n",
    "hexadecimal-of-100000-digits": f"a: 0x{'f' * 100_000}\n",
    "float-of-100000-digits": f"a: 0.{'1' * 100_000}\n",
    "huge-exponent": "a: 1e999999999\n",
    "huge-exponent-in-a-section": experiment(optimizer="{_type_: optim_factory.torch, kwargs: {lr: 1e999999999}}"),
    "integer-too-large-for-a-float": experiment(run=f"{{name: a, out_dir: b, seed: {'9' * 900}}}"),
    "sexagesimal": experiment(run="{name: 1:30:45, out_dir: 190:20:30, seed: 12:30}"),
    "octal-and-binary": "a: [0o777777777777777777777777777777777777777777777777777777777777777777, 0b1111, 017, 0x]\n",
    "infinities": experiment(run="{name: a, out_dir: b, seed: .inf}", data="{_type_: data.tensors, batch_size: .nan}"),
    "folded-to-one-line": "a: >\n" + "  x\n" * 300_000,
    "comment-of-4-mib": "#" * (4 * 1024 * 1024 - 8) + "\na: 1\n",
    "more-than-4-mib": "#" * (4 * 1024 * 1024) + "\na: 1\n",
    "many-keys": "".join(f"k{i}: 1\n" for i in range(150_000)),
    "many-values": f"a: [{'1,' * 250_000}]\n",
    "many-lines": "\n" * 3_000_000 + "a: 1\n",
}
BYTES: dict[str, Text] = {
    "empty": b"",
    "nul": b"a: \0\n",
    "nul-in-quotes": b'a: "\0"\n',
    "nul-by-escape": experiment(run='{name: "a\\0b", out_dir: "\\0"}'),
    "bom": b"\xef\xbb\xbfa: 1\n",
    "boms": b"\xef\xbb\xbf\xef\xbb\xbfa: 1\n",
    "bom-within": "a: 1\n\ufeffb: 2\n",
    "utf-16-le": "\ufeffa: 1\n".encode("utf-16-le"),
    "utf-16-be": "\ufeffa: 1\n".encode("utf-16-be"),
    "utf-32": "\ufeffa: 1\n".encode("utf-32-le"),
    "latin-1": "a: caf\xe9\n".encode("latin-1"),
    "overlong": b"a: \xc0\xaf\n",
    "truncated-character": b"a: \xe2\x82",
    "lone-surrogate": b"a: \xed\xa0\x80\n",
    "surrogate-by-escape": 'a: "\\ud800"\n',
    "beyond-unicode": 'a: "\\U00110000"\n',
    "noncharacter": "a: \ufffe\n",
    "elf": b"\x7fELF\x02\x01\x01" + bytes(1000),
    "gzip": b"\x1f\x8b\x08\x00" + bytes(range(256)),
    "random-bytes": bytes((i * 167 + 13) % 256 for i in range(4096)),
    "bidi-controls": "run: {name: \u202egnp.exe, \u2066out_dir\u2069: b}\n",
    "bidi-key": "r\u202eun: 1\n",
    "homoglyph-key": experiment(mоdel="{}"),
    "invisible-key": experiment(**{"mo\u200bdel": "{}"}),
    "carriage-returns": "a: 1\rb: 2\r",
    "next-lines": "a: 1\x85b: 2\x85c: {\n",
    "line-separators": "a: 1\u2028b: 2\u2029c: {\n",
    "form-feeds": b"a: 1\x0cb: 2\n",
    "tabs": "run:\n\tname: a\n",
    "escape-sequence": b"a: \x1b[2J\x1b[31mred\n",
    "escape-sequence-by-escape": experiment(
        run='{name: "\\e]0;owned\\a\\e[2J", out_dir: b, device: "\\e[31mcuda\\e[0m"}'
    ),
    "escape-sequence-in-key": experiment(**{'"\\e[2Jrun\\r\\n"': "1"}),
    "escape-sequence-in-type": experiment(loss='{_type_: "loss.\\e[31mtorch\\n\\u202e"}'),
    "backspaces-in-message": experiment(loss='{_type_: "loss.evil\\b\\b\\b\\bgood"}'),
    "c1-controls": experiment(loss='{_type_: "\\u009b31m"}'),
}
MERGES: dict[str, Text] = {
    "merge-key": "a: &a {x: 1}\nb: {<<: *a}\n",
    "merge-key-list": "a: &a {x: 1}\nb: {<<: [*a, *a]}\n",
    "merge-key-scalar": "b: {<<: 1}\n",
    "merge-key-recursive": "a: &a {<<: *a}\n",
    "merge-key-bomb": "a0: &a0 {k: v}\n"
    + "".join(f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 9)}]}}\n" for i in range(1, 10)),
    "merge-key-quoted": 'a: &a {x: 1}\nb: {"<<": *a}\n',
    "merge-key-tagged": "a: &a {x: 1}\nb: {!!merge <<: *a}\n",
    "duplicate-key": "a: 1\na: 2\n",
    "duplicate-key-in-quotes": 'a: 1\n"a": 2\n',
    "duplicate-key-by-escape": 'a: 1\n"\\x61": 2\n',
    "duplicate-key-by-alias": "&k a: 1\n*k : 2\n",
    "duplicate-key-by-tag": "a: 1\n!!str a: 2\n",
    "null-key": "~: 1\n",
    "empty-key": "'': 1\n",
    "number-key": "1: 1\n",
    "nan-key": ".nan: 1\n.NaN: 2\n",
    "complex-key": "? {a: 1}\n: 2\n",
    "merge-of-merge": "a: {_merge_: {_merge_: replace, _value_: append}, _value_: 1}\n",
    "merge-without-value": "a: {_merge_: append}\n",
    "merge-nests": "a: " + "{_merge_: replace, _value_: " * 99 + "1" + "}" * 99 + "\n",
    "merge-at-the-root": "{_merge_: replace, _value_: [1]}\n",
    "keyed-twice": "a: {_merge_: keyed, key: k, _value_: [{k: 1}, {k: 1}]}\n",
    "keyed-by-collection": "a: {_merge_: keyed, key: k, _value_: [{k: [1]}, {k: {a: .nan}}, 3]}\n",
    "two-documents": "a: 1\n---\nb: !!python/name:os.system\n",
    "document-end": "a: 1\n...\nb: 2\n",
    "documents-without-end": "---\n" * 100_000,
}
PATHS: dict[str, Text] = {
    f"defaults-{name}": f"defaults: [{path}]\na: 1\n"
    for name, path in {
        "passwd": "/etc/passwd",
        "upwards": f"{'../' * 30}etc/passwd",
        "zero": "/dev/zero",
        "random": "/dev/urandom",
        "tty": "/dev/tty",
        "stdin": "/dev/stdin",
        "environ": "/proc/self/environ",
        "memory": "/proc/self/mem",
        "kernel-messages": "/proc/kmsg",
        "descriptor": "/proc/self/fd/0",
        "fifo": "fifo.yaml",
        "directory": "directory.yaml",
        "here": ".",
        "loop": "loop.yaml",
        "disguised": "disguised.yaml",
        "itself": "defaults-itself.yaml",
        "url": "http://127.0.0.1:1/evil.yaml",
        "file-url": "file:///etc/passwd",
        "home": "~/.ssh/id_rsa",
        "variable": "$HOME/.netrc",
        "expression": '"${env:HOME}/.netrc"',
        "long": "x" * 5000,
        "deep": "a/" * 3000 + "b.yaml",
        "line-breaks": '"a\\nb.yaml"',
        "escapes": '"\\e[31mred\\e[0m.yaml"',
        "nul": '"a\\0b.yaml"',
        "quotes": '"a\'b.yaml"',
        "windows": "'C:\\Windows\\win.ini'",
        "empty": "''",
        "numbers": "1, 2.5, null, true",
        "nests": "{a: {b: {c: [1]}}}",
        "many": ", ".join(["nowhere.yaml"] * 1000),
    }.items()
}
NAMES: dict[str, Text] = {
    "model-file-passwd": experiment(model="{config_path: /etc/passwd}"),
    "model-file-fifo": experiment(model="{config_path: fifo.yaml}"),
    "model-file-directory": experiment(model="{config_path: .}"),
    "model-file-environ": experiment(model="{config_path: /proc/self/environ}"),
    "model-file-zero": experiment(model="{config_path: /dev/zero}"),
    "model-file-itself": experiment(model="{config_path: model-file-itself.yaml}"),
    "model-file-home": experiment(model="{config_path: ~nobody-of-that-name/x.yaml}"),
    "model-file-nul": experiment(model='{config_path: "a\\0.yaml"}'),
    "model-file-long": experiment(model=f"{{config_path: {'x' * 5000}.yaml}}"),
    "model-in-models": experiment(model="{config: {model: {config: {model: {config_path: x}}}}}"),
    "weights-passwd": experiment(
        model="{components: {a: {sequential: {inputs: [x], layers: []}, weights: /etc/passwd, init: ../x}}}"
    ),
    "resume-from-device": experiment(run="{name: a, out_dir: b, resume_from: /dev/zero}"),
    "run-name-upwards": experiment(run="{name: ../../../../tmp/owned, out_dir: /}"),
    "target-system": experiment(data="{_target_: os.system, _args_: [touch sprung]}"),
    "target-allowed": experiment(
        settings="{allow_target: true, allowed_import_prefixes: [os, subprocess, builtins]}",
        data="{_target_: os.system, _args_: [touch sprung]}",
        io='{_target_: builtins.eval, _args_: [\'open("sprung", "w")\']}',
        loss="{_target_: subprocess.Popen, args: [touch, sprung]}",
    ),
    "target-any-prefix": experiment(
        settings="{allow_target: true, allowed_import_prefixes: ['']}", data="{_target_: os.system, command: x}"
    ),
    "target-dunder": experiment(
        settings="{allow_target: true, allowed_import_prefixes: [os]}", data="{_target_: os.__builtins__.eval}"
    ),
    "target-form": experiment(
        settings="{allow_target: true, allowed_import_prefixes: [os]}",
        data="{_target_: os}",
        io="{_target_: 'os.'}",
        loss="{_target_: 'os:system'}",
    ),
    "type-and-target": experiment(data="{_type_: data.tensors, _target_: os.system}"),
    "type-path": experiment(data="{_type_: ../x}"),
    "type-dunder": experiment(model="{_type_: nn.Linear.__init__}"),
    "type-module": experiment(loss="{_type_: 'os:system'}"),
    "type-distribution": experiment(loss="{_type_: loss.torch@../../x}"),
    "type-empty": experiment(loss="{_type_: ''}", data="{_type_: .}", io="{_type_: '@'}"),
    "type-long": experiment(loss=f"{{_type_: loss.{'x' * 100_000}}}"),
    "type-of-wrong-form": experiment(loss="{_type_: [loss.torch]}", io="{_type_: {_type_: io.mapping}}"),
    "class-by-type": experiment(loss="{_type_: loss.torch, fn: MSELoss, __class__: x, __init__: {}, self: 1}"),
    "optimizer-by-path": experiment(optimizer="{_type_: optim_factory.torch, type: ../../os.system}"),
    "call-of-op": experiment(
        model="{graph: {inputs: [x], steps: [{call: 'op:__import__', args: [os], out: y}], outputs: [$y]}}"
    ),
    "import-os": experiment(imports="[os]"),
    "import-antigravity": experiment(imports="[antigravity]", settings="{allowed_import_prefixes: [antigravity]}"),
    "import-any-prefix": experiment(imports="[antigravity, os]", settings="{allowed_import_prefixes: ['']}"),
    "import-trap": experiment(imports="[trap]", settings="{allowed_import_prefixes: [trap]}"),
    "import-path": experiment(
        imports="['../trap', '..trap', 'trap/x', '.', '', 'trap.', 'a\\0b']",
        settings="{allowed_import_prefixes: ['..', '', '.', trap]}",
    ),
    "import-forms": experiment(imports="{a: 1}", settings="{allowed_import_prefixes: 5}", plugins="[[]]"),
    "settings-forms": experiment(settings="{strict: [], allow_target: 'yes', allowed_distributions: 5}"),
    "settings-distributions": experiment(settings="{allowed_distributions: [1, null, {a: b}, [c]]}"),
    "settings-list": experiment(settings="[allow_target]"),
    "plugin-names": experiment(plugins="['', '@', 'a\\nb', '../x']"),
    "sections-of-wrong-form": "".join(f"{key}: [[1], {{}}, x]\n" for key in (*_SECTIONS, "metrics", "trainer", "eval")),
    "sections-of-null": "".join(f"{key}:\n" for key in (*_SECTIONS, "metrics", "trainer", "eval", "settings")),
    "sections-of-text": "".join(f"{key}: os.system\n" for key in (*_SECTIONS, "metrics", "trainer", "settings")),
    "annotations-on-screen": experiment(loss='{_type_: "x\\n::set-output name=a::b\\n::error::c"}'),
    "annotation-by-file-name": 'defaults: ["a,line=1::b%0A\\n::warning::x.yaml"]\n',
    "json-injection": experiment(loss='{_type_: "\\"}, {\\"valid\\": true, \\"x\\": \\"</script>"}'),
    "colour-markup": experiment(loss="{_type_: '[red]x[/red][link=http://x]y[/link]'}"),
}
EXPRESSIONS: dict[str, Text] = {
    "doubled-strings": _doubled(60, "x0: abcd\n", "x{i}: '${{x{b}}}${{x{b}}}'\n"),
    "doubled-lists": _doubled(60, "x0: [1]\n", "x{i}: ['${{x{b}}}', '${{x{b}}}']\n"),
    "chain": "".join(f"x{i}: '${{x{i + 1}}}'\n" for i in range(5000)) + "x5000: 1\n",
    "chain-in-lists": "".join(f"x{i}: ['${{x{i + 1}}}']\n" for i in range(5000)) + "x5000: 1\n",
    "self-reference": "a: ${a}\n",
    "reference-to-the-parent": "a: {b: '${a}'}\n",
    "reference-to-the-root": "a: '${}'\nb: '${ }'\n",
    "circle": "a: ${b}\nb: ${c}\nc: x${a}y\n",
    "missing-references": "params: {"
    + ", ".join(f"key{i}: 1" for i in range(20_000))
    + "}\n"
    + "".join(f"x{i}: '${{params.kye{i}}}'\n" for i in range(200)),
    "nested-expressions": "a: '" + "${" * 10_000 + "}" * 10_000 + "'\n",
    "open-expressions": "a: '" + "${" * 100_000 + "'\n",
    "escaped-expressions": "a: '" + "$${" * 100_000 + "'\n",
    "dollars": "a: '" + "$" * 200_000 + "{'\n",
    "braces-in-default": "a: '${env:X," + "{" * 50_000 + "}" * 50_000 + "}'\n",
    "many-expressions": "b: 1\na: '" + "${b}" * 100_000 + "'\n",
    "long-path": "a: '${" + ".a" * 50_000 + "}'\n",
    "long-index-path": "a: '${a" + "[0]" * 50_000 + "}'\n",
    "quotes-in-path": "a: '${a[\"" + "\\\\" * 50_000 + "}'\n",
    "huge-index": "a: [1]\nb: '${a[" + "9" * 5000 + "]}'\n",
    "negative-index": "a: [1]\nb: ${a[-2]}\n",
    "expression-of-code": 'a: \'${__import__("os").system("touch sprung")}\'\n',
    "dunder-path": "a: {b: 1}\nc: ${a.__class__.__mro__}\n",
    "dunder-environment": "a: '${env:__class__}'\n",
    "secret-variable": "a: {b: '${env:OT_SECRET_TOKEN}', c: x}\nb: ${a.b.c}\n",
    "secret-cast": "a: '${env:int:OT_SECRET_TOKEN}'\n",
    "environment-casts": "a: '${env:float:X,1e999999999}'\nb: '${env:bool:X,maybe}'\nc: '${env:eval:X,1}'\n",
    "environment-huge-integer": "a: '${env:int:X," + "9" * 100_000 + "}'\n",
    "environment-deep-json": "a: '${env:json:X," + "[" * 50_000 + "]" * 50_000 + "}'\n",
    "environment-json-surrogate": experiment(run="{name: '${env:json:X,\"\\ud800\"}', out_dir: b, device: x}"),
    "environment-json-nan": experiment(run="{name: a, out_dir: b, seed: '${env:json:X,NaN}'}"),
    "environment-json-duplicates": 'a: \'${env:json:X,{"a": 1, "a": 2}}\'\n',
    "catastrophic-variable": "a: '${env:" + ":," * 50_000 + "}'\n",
    "template-of-itself": "templates: {a: {b: {_template_: a}}}\nm: {_template_: a}\n",
    "templates-in-a-circle": "templates: {a: {_template_: b}, b: {_template_: a}}\nm: {_template_: a}\n",
    "doubled-templates": _doubled(
        60, "templates:\n  t0: {a: 1}\n", "  t{i}: {{n: {{_template_: t{b}}}, m: {{_template_: t{b}}}}}\n"
    )
    + "m: {_template_: t59}\n",
    "template-by-expression": "templates: {a: {}}\nm: {_template_: '${env:HOME}'}\n",
    "templates-of-wrong-form": "templates: {a: 1, b: [2]}\nm: {_template_: a}\nn: {_template_: b}\n",
}
MALICIOUS: dict[str, Text] = {**ALIASES, **DEPTH, **TAGS, **SCALARS, **BYTES, **MERGES, **PATHS, **NAMES, **EXPRESSIONS}


def write_malicious(folder: Path) -> list[Path]:
    """Write all texts into `folder`, beside the traps that they name; return their files."""
    os.mkfifo(folder / "fifo.yaml")
    (folder / "directory.yaml").mkdir()
    (folder / "loop.yaml").symlink_to("loop.yaml")
    (folder / "disguised.yaml").symlink_to("/etc/passwd")
    (folder / "trap.py").write_text("open('sprung', 'w').close()\n\ndef register(registry): ...\n")
    files = []
    for name, text in MALICIOUS.items():
        files.append(folder / f"{name}.yaml")
        files[-1].write_bytes(text if isinstance(text, bytes) else text.encode())
    return files


if __name__ == "__main__":
    write_malicious(Path(sys.argv[1]))
