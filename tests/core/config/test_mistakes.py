"""Where a text is no YAML, the message says in plain words what was probably meant, and what mends it."""

import pytest

from offline_trainer_core.config import resolve_config

MISTAKES = {
    "tab": ("a:\n\tb: 1\n", (2, 1), "tabs", "indent with spaces"),
    "no space after a colon": ("a: 1\nb:2\nc: 3\n", (2, 2), "a space is missing", "b: 2"),
    "no space after the first colon": ("b:2\nc: 3\n", (1, 2), "a space is missing", "b: 2"),
    "no colon": ("a: 1\nb\nc: 3\n", (2, 1), "a ':' is missing after 'b'", "b: ..."),
    "section without a colon": ("run\n  name: x\n", (1, 1), "a ':' is missing after 'run'", "run: ..."),
    "equals sign": ("a = 1\nb: 2\n", (1, 3), "not by '='", "a: 1"),
    "open double quote": ('a: "abc\nb: 2\n', (1, 4), "never closed", 'end the value with "'),
    "open single quote": ("a: 'abc\nb: 2\n", (1, 4), "never closed", "end the value with '"),
    "open quote before another": ('a: "abc\nb: "x"\n', (1, 4), "never closed", 'end the value with "'),
    "apostrophe": ("a: 'it's'\n", (1, 8), "after the quote", "write '' for an apostrophe in single quotes"),
    "open list": ("a: [1, 2\nb: 3\n", (1, 4), "'[' is never closed", "close it with ']'"),
    "open mapping": ("a: {x: 1\nb: 3\n", (1, 4), "'{' is never closed", "close it with '}'"),
    "wrong bracket": ("a: [1, 2}\nb: 1\n", (1, 9), "closed by '}'", "close it with ']'"),
    "bracket too many": ("a: [1, 2]]\nb: 3\n", (1, 10), "no bracket", "take it out"),
    "no comma": ("a: {b: 1 c: 2}\n", (1, 11), "comma", "divide entries by ', '"),
    "item out of line": ("a:\n  - x\n - y\n", (3, 2), "not in line", "indent it by 2 spaces, as the one above"),
    "item beside keys": ("a: 1\n- x\n", (2, 1), "beside the keys", "give the list a key"),
    "no space after a dash": ("a:\n  -x: 1\n  - y: 2\n", (2, 3), "after this '-'", "- x: 1"),
    "key out of line": ("a:\n    b: 1\n  c: 2\n", (3, 3), "indented by 2", "indent it by 4 spaces, as the line above"),
    "key below a value": ("a: 1\n  b: 2\n", (2, 3), "'a', which has a value already", "indent it as 'a'"),
    "colon in a value": ("a: b: c\n", (1, 4), "needs quotes", "a: 'b: c'"),
    "expression in a mapping": ("a: {b: ${c}}\n", (1, 8), "an expression", '"${c}"'),
    "expression in a list": ("a: [${c}, 1]\n", (1, 5), "an expression", '"${c}"'),
    "at sign": ("a: @x\n", (1, 4), "cannot begin with '@'", "quote it: '@x'"),
    "backtick": ("a: `x`\n", (1, 4), "cannot begin with '`'", "quote it: '`x`'"),
    "percent sign": ("a: [%x, 1]\n", (1, 5), "cannot begin with '%'", "quote it: '%x'"),
    "asterisk": ("a: *.yaml\n", (1, 4), "cannot begin with '*'", "quote it: '*.yaml'"),
    "alias of nothing": ("a: *foo\n", (1, 4), "no anchor '&foo'", "quote it if it is a text: '*foo'"),
    "ampersand": ("a: & b\n", (1, 4), "cannot begin with '&'", "quote it: '& b'"),
    "path of Windows": ('a: "C:\\path"\n', (1, 7), "no escape", "put the value into single quotes"),
    "text beside a bar": ("a: | x\n  b\n", (1, 6), "'|'", "begin the text on the next line"),
}


@pytest.mark.parametrize(("text", "place", "words", "fix"), MISTAKES.values(), ids=MISTAKES)
def test_a_frequent_mistake_is_explained_at_its_place(problems, text, place, words, fix):
    (found,) = problems(text)
    assert found.code == "yaml-syntax"
    assert found.location[1:] == place
    assert words in found.message
    assert found.fix.startswith(fix)


WHOLE_LINES = ("no space after a colon", "no colon", "equals sign", "colon in a value", "no space after a dash")


@pytest.mark.parametrize("case", WHOLE_LINES)
def test_the_line_that_is_offered_mends_the_text(write, case):
    text, (line, _), _, fix = MISTAKES[case]
    lines = text.splitlines()
    indent = lines[line - 1][: len(lines[line - 1]) - len(lines[line - 1].lstrip())]
    lines[line - 1] = indent + fix
    assert resolve_config(write("\n".join(lines))).plain()


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("a: 1\nb: &x &y 1\n", (2, 7), "YAML allows nothing of this kind here"),
        ("a: 1\nb: !<x 1\n", (2, 4), "this is no tag of YAML"),
        ("a: 1\nb: !x!y 1\n", (2, 4), "this is no tag of YAML"),
        ("%YAML 3.0\n---\na: 1\n", (1, 1), "a line that begins with '%'"),
        ("a: 1\n...\nb: 2\n", (3, 1), "this stands after the end of the text"),
        ("{a: 1}}\n", (1, 7), "no bracket that this '}' closes"),
        ("- a\nb: c\n", (2, 1), "a key cannot stand beside the items of a list"),
        ('a: "\\u12"\n', (1, 5), "needs 4 hexadecimal digits"),
        ("a: [1,\n  {b: 2],\n", (2, 8), "the '{' of line 2, column 3, is closed by ']'"),
        ("a: {b: [1,\n  2}\n", (2, 4), "the '[' of line 1, column 8, is closed by '}'"),
    ],
)
def test_the_words_of_the_parser_are_not_shown(problems, text, place, message):
    (found,) = problems(text)
    assert found.location[1:] == place
    assert message in found.message
    assert found.fix
    assert not any(word in found.message for word in ("expected", "parsing", "scanning", "scalar", "token"))


def test_a_second_document_is_told_as_one(problems):
    assert [found.code for found in problems("a: 1\n---\nb: 2\n")] == ["multiple-documents"]


def test_a_mistake_in_an_override_is_found_in_it(problems):
    (found,) = problems("a: 1\n", "a=[1, 2")
    assert (found.location.file, found.location.column) == ("<override 1>", 3)
    assert found.fix == "close it with ']'"


def test_the_line_that_mends_it_shows_no_secret(problems):
    (found,) = problems("api_key: hunter2: x\n")
    assert "hunter2" not in found.render()
