"""Interpolation: `${path}`, `${env:...}`, `$${`."""

import math

import pytest

ENV = {"N": " 7 ", "F": "1e-3", "T": "Yes", "J": '{"a": [1, null]}', "S": "  text ", "E": ""}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${p.lr}", 0.1),
        ("${ p.lr }", 0.1),
        ("${p}", {"lr": 0.1, "l": [1, {"k": True}], "n": None}),
        ("${p.l[1].k}", True),
        ("${p.l[-1]}", {"k": True}),
        ("${p.n}", None),
        ("${chain}", 0.1),
        ("${alias.l[0]}", 1),
        ("lr=${p.lr}, k=${p.l[1].k}, n=${p.n}", "lr=0.1, k=true, n=null"),
        ("${p.l}!", '[1, {"k": true}]!'),
        ("${env:S}", "  text "),
        ("${env:E}", ""),
        ("${env:N}", " 7 "),
        ("${env:int:N}", 7),
        ("${env:float:F}", 0.001),
        ("${env:float:N}", 7.0),
        ("${env:bool:T}", True),
        ("${env:bool:X,off}", False),
        ("${env:json:J}", {"a": [1, None]}),
        ('${env:json:X,{"b": {}}}', {"b": {}}),
        ("${env:X,default, with comma}", "default, with comma"),
        ("${env:X,}", ""),
        ("${env:int:X, 3 }", 3),
        ("$${p.lr}", "${p.lr}"),
        ("a $${b} ${p.lr}", "a ${b} 0.1"),
        ("$$${p.lr}", "$${p.lr}"),
        ("$h", "$h"),
        ("$$text", "$$text"),
        ("{p.lr}", "{p.lr}"),
    ],
)
def test_an_expression_becomes_its_value(resolve, text, value):
    params = "p: {lr: 0.1, l: [1, {k: true}], n: null}\nchain: ${alias.lr}\nalias: ${p}\n"
    found = resolve(f"{params}x: '{text}'", env=ENV).plain("x")
    assert found == value
    assert type(found) is type(value)


def test_infinity_can_come_from_the_environment(resolve):
    assert resolve("x: ${env:float:V}", env={"V": "inf"}).plain("x") == math.inf


def test_text_from_the_environment_is_not_interpolated_again(resolve):
    text = "a: ${env:V}\nb: ${env:json:W}\nc: ${b.k}\nd: 'x${a}'"
    config = resolve(text, env={"V": "${nowhere}", "W": '{"k": "${nowhere}"}'})
    assert config.plain() == {"a": "${nowhere}", "b": {"k": "${nowhere}"}, "c": "${nowhere}", "d": "x${nowhere}"}


def test_an_escaped_text_stays_literal_through_references(resolve):
    assert resolve("a: $${x}\nb: {c: '${a}'}\nd: ${b}\ne: ${d.c}").plain("e") == "${x}"


@pytest.mark.parametrize(
    ("text", "code", "suggestion"),
    [
        ("x: ${trainr.lr}\ntrainer: {lr: 1}", "unknown-path", "trainer"),
        ("x: ${trainer.lrr}\ntrainer: {lr: 1}", "unknown-path", "trainer.lr"),
        ("x: ${l.0}\nl: [1]", "unknown-path", "l[0]"),
        ("x: ${l[1]}\nl: [1]", "unknown-path", None),
        ("x: ${y.z}\ny: 1", "unknown-path", None),
        ("x: ${env:HOMEE}", "missing-environment-variable", "HOME"),
        ("x: ${env:int:HOME}", "bad-cast", None),
        ("x: ${env:bool:HOME}", "bad-cast", None),
        ("x: ${env:json:HOME}", "bad-cast", None),
        ("x: ${env:float:V,abc}", "bad-cast", None),
        ("x: ${env:itn:HOME}", "bad-expression", "int"),
        ("x: ${env:}", "bad-expression", None),
        ("x: ${env:A-B}", "bad-expression", None),
        ("x: ${}", "bad-expression", None),
        ("x: ${a..b}", "bad-expression", None),
        ("x: ${a", "bad-expression", None),
        ("x: ${a.${b}}", "bad-expression", None),
    ],
)
def test_a_wrong_expression_is_a_problem(problems, text, code, suggestion):
    (found,) = problems(text, env={"HOME": "/root"})
    assert (found.code, found.suggestion, found.config_path) == (code, suggestion, "x")


def test_a_bad_cast_does_not_show_the_value(problems):
    (found,) = problems("x: ${env:int:API_TOKEN}", env={"API_TOKEN": "s3cret"})
    assert "s3cret" not in found.render()


@pytest.mark.parametrize(
    ("text", "chain"),
    [
        ("a: ${a}", "a -> a"),
        ("a: ${b}\nb: 'x${c.d}'\nc: {d: '${a}'}", "a -> b -> c.d -> a"),
        ("a: {b: {c: '${a}'}}", "a -> a.b -> a.b.c -> a"),
        ("a: [1, '${a[1]}']", "a[1] -> a[1]"),
        ("a: ${b.c}\nb: ${a}", "a -> b -> a"),
    ],
)
def test_a_cycle_is_one_problem_that_shows_its_chain(problems, text, chain):
    (found,) = problems(text)
    assert found.code == "cycle"
    assert found.message.endswith(f": {chain}")


def test_a_sibling_may_be_referred_to(resolve):
    assert resolve("a: {b: '${a.c}', c: 1}").plain("a") == {"b": 1, "c": 1}


@pytest.mark.parametrize(
    ("value", "part"),
    [
        ('"see ${nowhere}!"', "nowhere"),
        ("${y.two.tree}", "y.two.tree"),
        ("${ y.tow.three }", "y.tow"),
        ("${y.list[3].a}", "y.list[3"),
        ("'${y.one.x}'", "y.one.x"),
        ("a ${env:NOPE} b", "NOPE"),
        ("${env:itn:NOPE,1}", "itn"),
        ("${env:int:NOPE,x}", "${env:int:NOPE,x}"),
        ("a ${} b", "${}"),
        ("see ${y.two", "${"),
    ],
)
def test_the_carets_stand_under_the_part_that_is_wrong(problems, resolve, value, part):
    (found,) = problems(f"x: {value}\ny: {{one: 1, two: {{three: 1}}, list: [1]}}")
    line, column = found.source_line, found.location.column - 1
    assert line[column : column + found.width].startswith(part)
    assert found.width <= len(part) + 1
    if found.suggestion:  # it can take the place of what it corrects
        mended = f"{line[:column]}{found.suggestion}{line[column + found.width :]}"
        assert resolve(f"{mended}\ny: {{one: 1, two: {{three: 1}}, list: [1]}}").plain("x") == 1


def test_an_expression_that_is_never_closed_is_to_be_closed(problems):
    (found,) = problems("x: see ${y.two\ny: {two: 1}")
    assert found.fix == "close it with }, or write $${ for a literal ${"


def test_all_wrong_expressions_are_reported_at_once(problems):
    assert len(problems("a: ${x}\nb: [{c: '${env:NOPE}'}]\nd: ${a}\ne: ${")) == 3


def test_an_interpolated_value_remembers_the_expression(resolve):
    config = resolve("p: {lr: 0.1}\nlr: ${p.lr}")
    assert [(h.value, h.directive) for h in config.find("lr").history] == [
        (0.1, "interpolation ${p.lr}"),
        ("${p.lr}", "file"),
    ]
    assert any("exp.yaml:1:9" in note for note in config.problem("any", "any", "lr").notes)
