"""Serialized values of PHP are rewritten with the right lengths, or not at all."""

from __future__ import annotations

import json
import subprocess

import pytest
from ansible.module_utils.boxlift_names import Names
from ansible.module_utils.boxlift_serialized import SerializedError, looks_serialized, replaced
from hypothesis import given, settings
from hypothesis import strategies as st
from programs import needs

from lab.generator.words import serialized

OLD, NEW = "acme.bitrix24.ru", "портал.example"


def swap(text: str) -> str:
    return text.replace(OLD, NEW)


@pytest.mark.parametrize(
    "value",
    [
        OLD,
        [OLD, f"https://{OLD}/crm/", 3, True, None],
        {"domain": OLD, "list": {"a": [OLD], 7: "🚀"}, OLD: "a key stays"},
        {"inside": serialized({"url": f"https://{OLD}/"})},
        [],
        "",
    ],
)
def test_texts_change_and_lengths_with_them(value: object) -> None:
    def expected(item: object) -> object:
        if isinstance(item, str):
            return serialized({"url": f"https://{NEW}/"}) if looks_serialized(item) else swap(item)
        if isinstance(item, dict):
            return {key: expected(inner) for key, inner in item.items()}
        return [expected(inner) for inner in item] if isinstance(item, list) else item

    assert replaced(serialized(value), swap) == serialized(expected(value))


def test_what_php_reads_in_spite_of_what_follows_is_not_broken() -> None:
    names = Names([OLD], NEW, "no-reply@example.com")
    for behind in ("\n", " "):
        with pytest.raises(SerializedError):
            names.put_into(serialized([OLD]) + behind)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "s:" + "9" * 5000 + ':"acme.bitrix24.ru";',
        OLD,
        'a:1:{i:0;s:16:"acme.bitrix24.ru";',
        'a:2:{i:0;s:16:"acme.bitrix24.ru";}',
        'a:1:{i:0;s:17:"acme.bitrix24.ru";}',
        'a:1:{i:0;s:999999999:"acme.bitrix24.ru";}',
        'a:1:{i:0;s:16:"acme.bitrix24.ru";}x',
        "a:1:{d:0;i:1;}",
        'O:8:"stdClass":1:{s:1:"a";s:16:"acme.bitrix24.ru";}',
        'a:2:{i:0;s:16:"acme.bitrix24.ru";i:1;R:2;}',
        'a:1:{i:0;O:8:"stdClass":0:{}}',
        "a:1:{i:0;" * 100 + "N;" + "}" * 100,
        's:2:"я";x',
        's:1:"я";',
    ],
)
def test_what_is_not_wholly_understood_is_refused(text: str) -> None:
    with pytest.raises(SerializedError):
        replaced(text, swap)


def test_a_text_that_only_looks_serialized_is_refused_when_it_would_change() -> None:
    harmless, broken = "a:1:{i:0;}", f"a:9:{{s:{OLD};}}"
    assert replaced(serialized([harmless]), swap) == serialized([harmless])
    with pytest.raises(SerializedError):
        replaced(serialized([broken]), swap)


def test_values_within_texts_are_followed_so_far_and_no_further() -> None:
    value: object = OLD
    for _ in range(20):
        value = serialized([value])
    assert replaced(str(value), swap).count(NEW) == 1
    for _ in range(400):
        value = serialized(value)
    with pytest.raises(SerializedError, match="deeper than"):
        replaced(str(value), swap)
    # What holds no former name stays as it is, however deep.
    assert replaced(str(value), str) == value


def test_numbers_of_all_kinds_stay() -> None:
    value = 'a:3:{i:0;d:0.5;i:-1;d:-INF;s:1:"e";d:1.0E+25;}'
    assert replaced(value, swap) == value


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values = st.recursive(
    st.one_of(texts, st.integers(-(2**40), 2**40), st.booleans(), st.none(), texts.map(lambda t: t + OLD)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=12,
)


@given(values)
@settings(max_examples=200, deadline=None)
def test_nothing_changes_where_nothing_is_replaced(value: object) -> None:
    packed = serialized(value)
    try:
        assert replaced(packed, str) == packed
    except SerializedError:
        pytest.fail(packed)


@pytest.mark.slow
@needs("php", package="php-cli")
def test_php_reads_what_was_rewritten() -> None:
    value = {"domain": OLD, "deep": [{"url": f"https://{OLD}/я"}, -7, None]}
    packed = replaced(serialized(value), swap)
    code = "echo json_encode(unserialize(stream_get_contents(STDIN)), JSON_UNESCAPED_UNICODE);"
    done = subprocess.run(["php", "-r", code], input=packed.encode(), capture_output=True, check=True)
    assert json.loads(done.stdout) == json.loads(json.dumps(value, ensure_ascii=False).replace(OLD, NEW))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://acme.bitrix24.ru/crm/?a=acme.bitrix24.ru", "https://portal.x/crm/?a=portal.x"),
        ("ACME.Bitrix24.ru.", "portal.x."),
        (
            "news@acme.bitrix24.ru, Acme <a.b+c@acme.bitrix24.ru>",
            "no-reply@portal.x, Acme <no-reply@portal.x>",
        ),
        ("https:\\/\\/acme.bitrix24.ru\\/", "https:\\/\\/portal.x\\/"),
        ("my-acme.bitrix24.ru old.acme.bitrix24.ru acme.bitrix24.rumba acme.bitrix24.ru.example.com", None),
        ("www2.acme.bitrix24.ru", None),
    ],
)
def test_whole_names_only(text: str, expected: str | None) -> None:
    names = Names([OLD], "portal.x", "no-reply@portal.x")
    assert names.put(text) == (text if expected is None else expected)


def test_without_former_names_nothing_changes() -> None:
    assert Names([], "portal.x", "a@portal.x").put_into("a@b.c portal.y") == "a@b.c portal.y"
