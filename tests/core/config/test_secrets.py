"""What is printed and recorded shows no secrets."""

import pytest

from offline_trainer_core.config import concealing, masked, redacted
from offline_trainer_core.config.digest import config_digest
from offline_trainer_core.config.secret_names import is_secret_key, is_secret_variable, secrets_in


@pytest.mark.parametrize(
    "key",
    ["api_key", "wandb_api_key", "API_KEY", "token", "hf_token", "password", "db_password", "secret", "client_secret"],
)
def test_secret_keys_are_known(key):
    assert is_secret_key(key)


@pytest.mark.parametrize("key", ["pad_token", "max_tokens", "tokenizer", "key", "monitor_key", "keys", "secretary", 0])
def test_ordinary_keys_are_not_taken_for_secrets(key):
    assert not is_secret_key(key)


@pytest.mark.parametrize(
    ("name", "is_secret"),
    [
        *[(name, True) for name in ("HF_TOKEN", "WANDB_API_KEY", "AWS_SECRET_ACCESS_KEY", "DB_PASSWORD")],
        *[(name, False) for name in ("HOME", "PWD", "KEYBOARD", "TOKENIZERS_PARALLELISM")],
    ],
)
def test_secret_variables_are_known_by_their_names(name, is_secret):
    assert is_secret_variable(name) is is_secret


def test_a_secret_stays_masked_wherever_it_goes(resolve):
    text = """
a: ${env:HF_TOKEN}
b: "Bearer ${a}"
c: ["${b}", "${p}"]
p: {password: x, n: null, host: h}
d: ${p.password}
e: ${env:json:HF_TOKEN}
f: "${e}"
g: "all: ${c}"
public: ${env:HOME}
"""
    shown = masked(resolve(text, env={"HF_TOKEN": '"s3"', "HOME": "/root"}))
    hidden = {"password": "***", "n": None, "host": "h"}
    assert shown == {
        **dict.fromkeys("abdefg", "***"),
        "c": ["***", hidden],
        "p": hidden,
        "public": "/root",
    }


def test_notes_do_not_show_what_a_secret_overrode(resolve):
    config = resolve("defaults: [base.yaml]\npassword: ${env:TOKEN}", env={"TOKEN": "s3"}, base="password: old")
    assert "old" not in config.problem("any", "any", "password").render()


def test_the_digest_ignores_secrets_and_the_order_of_keys_and_nothing_else(resolve):
    text = "a: 1\nb: {c: [1, 2], d: '${env:TOKEN}'}"
    digest = config_digest(resolve(text, env={"TOKEN": "x"}))
    assert digest == config_digest(resolve("b: {d: '${env:TOKEN}', c: [1, 2]}\na: 1", env={"TOKEN": "y"}))
    for other in ("a=1.0", "b.c=[2, 1]", "+e=null", "~a"):
        assert config_digest(resolve(text, other, env={"TOKEN": "x"})) != digest


def test_a_secret_that_was_overridden_is_kept_out_of_the_sources(resolve):
    text = "defaults: [base.yaml]\nname: public\nnested: {_merge_: replace, _value_: {n: 1}}"
    base = "password: first-secret\nnested: {token: second-secret}\nname: visible"
    config = resolve(text, "password=third-secret", base=base)
    shown = [redacted(source, config) for source in config.sources.values()]
    assert sum(source.count("***") for source in shown) == 3
    assert not [source for source in shown if "-secret" in source]
    assert any("visible" in source for source in shown)


def test_the_name_of_the_variable_of_a_secret_stays(resolve):
    config = resolve("password: ${env:DB_PASSWORD}", env={"DB_PASSWORD": "s3"})
    assert redacted("password: ${env:DB_PASSWORD}, s3", config) == "password: ${env:DB_PASSWORD}, ***"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("https://me:hunter2hunter2@host:80/a", "me:hunter2hunter2"),
        ("s3://bucket/key?access_token=abcdef123&region=eu", "abcdef123"),
        (f"use ghp_{'a1' * 18}.", f"ghp_{'a1' * 18}"),
        ("AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE"),
    ],
)
def test_what_looks_like_a_secret_is_found_anywhere(text, secret, resolve):
    assert list(secrets_in(text)) == [secret]
    assert masked(resolve(f"note: {text}")) == {"note": "***"}


@pytest.mark.parametrize(
    "text",
    [
        "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "xxh3:99aa06d3014798d86001c324468d497f",
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "https://host:8080/a@b?tokens=5&step=1",
        "git@github.com:someone/something.git",
        "sk-learn-pipeline-with-many-words",
        "nn.Linear -> hf_model/config",
        "${env:USER}://${a}:${b}@host",
        "x" * 5000,
    ],
)
def test_digests_and_ordinary_texts_are_not_taken_for_secrets(text):
    assert list(secrets_in(text)) == []


def fail():
    try:
        raise FileNotFoundError(2, "no such file", "/a/u:long-enough/b")
    except FileNotFoundError as error:
        failure = ValueError({"password": "s3"}, 3, "s3x")
        failure.__notes__ = ["with s3"]
        raise failure from error


def test_an_exception_says_no_secret_nor_does_what_led_to_it(resolve):
    config = resolve("url: https://u:${env:HOST_PASSWORD}@host\npassword: s3", env={"HOST_PASSWORD": "long-enough"})
    with pytest.raises(ValueError, match="password") as raised, concealing(config):
        fail()
    assert raised.value.args == ("{'password': '***'}", 3, "s3x"), "what is short is hidden as a word of its own"
    assert raised.value.__notes__ == ["with ***"]
    assert str(raised.value.__cause__) == "[Errno 2] no such file: '/a/***/b'"


def test_plain_data_is_redacted_to_its_leaves(resolve):
    config = resolve("password: s3cret-enough")
    record = {"diff": "+password = 's3cret-enough'\n+KEY", "list": ["s3cret-enough", 1, None]}
    assert redacted(record, config) == {"diff": "+password = *****\n+KEY", "list": ["***", 1, None]}
