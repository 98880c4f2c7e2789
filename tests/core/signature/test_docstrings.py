"""What a docstring says of each argument is the same in every style that people write."""

from __future__ import annotations

import inspect

import pytest

from offline_trainer_core.signature import Parameter, Signature, read_signature
from offline_trainer_core.signature.docstrings import argument_docs, documented, first_sentence

GOOGLE = """
Scores.

Args:
    rate (float, optional): How fast. The
        larger, the faster.
    low, high: The ``bounds``.
    **rest: Whatever else.

Raises:
    ValueError: No argument.
"""
NUMPY = """
Scores.

Parameters
----------
rate : float, optional
    How fast. The
    larger, the faster.
low, high
    The ``bounds``.
**rest : Any
    Whatever else.

Returns
-------
score : float
    No argument.
"""
SPHINX = """
Scores.

:param float rate: How fast. The
    larger, the faster.
:type rate: float
:param low: The ``bounds``.
:param high: The ``bounds``.
:param rest: Whatever else.
:returns: No argument.
"""


@pytest.mark.parametrize("doc", [GOOGLE, NUMPY, SPHINX], ids=["google", "numpy", "sphinx"])
@pytest.mark.parametrize("indent", ["", "        "], ids=["flush", "indented"])
def test_every_style_says_the_same(doc, indent) -> None:
    assert argument_docs(doc.replace("\n", f"\n{indent}")) == {
        "rate": "How fast. The larger, the faster.",
        "low": "The `bounds`.",
        "high": "The `bounds`.",
        "rest": "Whatever else.",
    }
    assert first_sentence(doc) == "Scores."


@pytest.mark.parametrize(
    "sentence",
    [
        "Soft actor-critic (Haarnoja et al. 2018), e.g. for robots.",
        "Clips, i.e. bounds, the ratio (cf. the paper) of new vs. old.",
        "E.g. this.",
        "Whatever is final.",
    ],
)
def test_an_abbreviation_ends_no_sentence(sentence: str) -> None:
    assert first_sentence(f"{sentence} And more.") == sentence
    signature = Signature((Parameter("n"),), f"Before. {sentence.replace('.', ' `n`.', 1)} After.")
    assert "After" not in documented(signature)["n"]


def test_what_is_not_listed_is_what_the_prose_says_of_it() -> None:
    doc = "Saves every `n` steps. It deletes\nall but `keep + 1` of them.\n\nArgs:\n    n: How often."
    signature = Signature(tuple(map(Parameter, ("n", "keep", "steps"))), doc)
    assert documented(signature) == {"n": "How often.", "keep": "It deletes all but `keep + 1` of them."}


def test_a_class_that_is_constructed_as_its_base_is_documented_by_it(tmp_path, monkeypatch) -> None:
    (tmp_path / "inherited_doc.py").write_text(
        'class Base:\n    """Bases.\n\n    Args:\n        a: First.\n        b: Second.\n    """\n\n'
        "    def __init__(self, a, b): ...\n\n"
        'class Part(Base):\n    """Parts.\n\n    Args:\n        b: Better.\n    """\n\n'
        'class Other(Base):\n    """Others."""\n\n    def __init__(self, a): ...\n'
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    part, other = read_signature("inherited_doc:Part"), read_signature("inherited_doc:Other")
    assert part is not None
    assert other is not None
    assert documented(part) == {"a": "First.", "b": "Better."}
    assert documented(other) == {}


def test_a_docstring_that_is_assigned_after_the_class_is_read(tmp_path, monkeypatch) -> None:
    (tmp_path / "assigned_shared.py").write_text('REST = """rest: Shared."""\n')
    (tmp_path / "assigned_doc.py").write_text(
        "from assigned_shared import REST\n\nclass Part:\n    def __init__(self, rate, rest): ...\n\n"
        'Part.__doc__ = "Parts.\\n\\nArgs:\\n    rate: How fast.\\n" + rf"""    {REST}\n"""\n'
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    signature = read_signature("assigned_doc:Part")
    assert signature is not None
    assert argument_docs(signature.doc) == {"rate": "How fast.", "rest": "Shared."}


@pytest.mark.parametrize("name", ["AdamW", "SGD", "RMSprop", "LBFGS"])
def test_torch_optimizers_say_what_their_arguments_are(name) -> None:
    optim = pytest.importorskip("torch.optim")
    signature = read_signature(f"torch.optim:{name}")
    assert signature is not None
    assert argument_docs(signature.doc)["lr"].startswith("learning rate")
    assert set(argument_docs(signature.doc)) <= set(inspect.signature(getattr(optim, name)).parameters)
