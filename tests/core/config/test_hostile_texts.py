"""Texts that were made to do harm end in one message; each runs in a process of its own, which must survive."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offline_trainer_core.config import syntax
from offline_trainer_core.config.limits import MAX_NODES

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
CHAIN_OF_ALIASES = "a0: &a0 []\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 5000))
DOUBLED_REFERENCES = "x0: [1]\n" + "".join(f"x{i}: ['${{x{i - 1}}}', '${{x{i - 1}}}']\n" for i in range(1, 60))
DOUBLED_STRINGS = "x0: abcd\n" + "".join(f"x{i}: '${{x{i - 1}}}${{x{i - 1}}}'\n" for i in range(1, 60))
CHAIN_OF_REFERENCES = "".join(f"x{i}: ['${{x{i + 1}}}']\n" for i in range(5000)) + "x5000: 1\n"
REVERSED_CHAIN = "x0: 1\n" + "".join(f"x{i}: ['${{x{i - 1}}}']\n" for i in range(1, 5000))
CHAIN_OF_TEMPLATES = (
    "templates:\n  t0: {a: 1}\n"
    + "".join(f"  t{i}: {{n: {{_template_: t{i - 1}}}}}\n" for i in range(1, 3000))
    + "m: {_template_: t2999}\n"
)
DOUBLED_TEMPLATES = (
    "templates:\n  t0: {a: 1}\n"
    + "".join(f"  t{i}: {{n: {{_template_: t{i - 1}}}, m: {{_template_: t{i - 1}}}}}\n" for i in range(1, 31))
    + "m: {_template_: t30}\n"
)
CORPUS = {
    "alias bomb": (BOMB, "too-large"),
    "chain of aliases": (CHAIN_OF_ALIASES, "too-deep"),
    "60 KB of open brackets": ("[" * 60_000, "too-deep"),
    "60 KB of open braces": ("{" * 60_000, "too-deep"),
    "deep flow in a value": ("a: " + "[" * 30_000 + "]" * 30_000, "too-deep"),
    "dashes": ("- " * 30_000 + "a", "too-deep"),
    "question marks": ("? " * 30_000 + "a", "too-deep"),
    "deep indentation": ("\n".join(" " * i + "a:" for i in range(1000)), "too-deep"),
    "deep behind carriage returns": ("\r".join(" " * i + "a:" for i in range(1000)), "too-deep"),
    "python object": ("a: !!python/object/apply:os.system ['exit 3']", "unknown-tag"),
    "huge scalar": ("a: " + "x" * 2_000_000, "too-large"),
    "huge integer": ("a: " + "9" * 500_000, "too-large"),
    "many values": ("a: [" + "1," * (MAX_NODES + 1) + "]", "too-large"),
    "doubled references": (DOUBLED_REFERENCES, "too-large"),
    "doubled strings": (DOUBLED_STRINGS, "too-large"),
    "chain of references": (CHAIN_OF_REFERENCES, "too-large"),
    "reversed chain of references": (REVERSED_CHAIN, "too-deep"),
    "chain of templates": (CHAIN_OF_TEMPLATES, "too-deep"),
    "doubled templates": (DOUBLED_TEMPLATES, "too-large"),
}
RESOLVE = """
import sys
from offline_trainer_core.config import resolve_config
from offline_trainer_core.errors import ConfigError
try:
    resolve_config(sys.argv[1])
except ConfigError as error:
    str(error)
    print(error.problems[0].code)
"""


@pytest.mark.parametrize("name", CORPUS)
def test_a_hostile_text_ends_in_a_message(write, name):
    text, code = CORPUS[name]
    done = subprocess.run(
        [sys.executable, "-c", RESOLVE, str(write(text))], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, code, "")


def exact_depth(text: str) -> int:
    loader = syntax.Loader(text)
    depth = deepest = 0
    while loader.check_event():
        event = loader.get_event()
        depth += isinstance(event, syntax.CollectionStartEvent) - isinstance(event, syntax.CollectionEndEvent)
        deepest = max(deepest, depth)
    return deepest


TOKENS = [
    "- ",
    "? ",
    ": ",
    "a: ",
    "a",
    "\n",
    "\n  ",
    "\n    ",
    "\r",
    "[",
    "]",
    "{",
    "}",
    ",",
    '"',
    "'",
    "# ",
    "--- ",
    "|\n ",
]


@given(st.lists(st.sampled_from(TOKENS), max_size=30).map("".join), st.sampled_from([0, 10_000]))
def test_the_glance_at_a_text_never_underrates_its_depth(text, harmless):
    try:
        depth = exact_depth(text)
    except syntax.yaml.YAMLError:
        return
    strict, syntax._HARMLESS = syntax._HARMLESS, harmless
    try:
        assert syntax._depth_at_most(text) >= depth
    finally:
        syntax._HARMLESS = strict


def test_the_glance_spares_ordinary_files_the_exact_check():
    text = "".join(f"layer{i}: {{_type_: nn.linear, dims: [3, 64], kwargs: {{bias: true}}}}\n" for i in range(1000))
    assert syntax._depth_at_most(text) <= syntax._HARMLESS
