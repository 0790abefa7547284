"""Small tables: column types at their limits, logs, counters, languages."""

from collections.abc import Iterator
from random import Random

from lab.generator.clock import DAY, stamp
from lab.generator.people import Staff
from lab.generator.words import NOUNS, TRICKY
from lab.writer.rows import Row

HOT_KEYS = 12
SHORT_LINKS = 25
TYPE_ROWS = 14
LANGUAGES = (("de", "N", "Deutsch"), ("en", "N", "English"), ("ru", "Y", "Russian"))


def type_rows(random: Random) -> Iterator[Row]:
    """Rows of b_sample_types. FLOAT has the six digits that a server prints; BIT see lab.writer.rows."""
    cases = (
        (-128, 0, 127, 0),
        (0, 9_223_372_036_854_775_808, 18_446_744_073_709_551_615, 1),
        ("0.000001", "-0.500000", "999999999999999999.999999", "-123456789012345678.123456"),
        ("1234570", "0.00000123", "0.1", "340000"),
        ("-1.7976931348623157e308", "2.2250738585072014e-308", "12345678901234.566", "0.1"),
        (2026, 2155, None, 1901),
        ("9999-12-31", None, "1000-01-01", "2024-02-29"),
        ("00:00:00.123", "23:59:59.999", "-838:59:59.000", None),
        ("1970-01-01 00:00:00.000000", "2026-03-29 02:30:00.123456", None, "2038-01-19 03:14:07.999999"),
        ("1970-01-02 00:00:00", None, "2026-03-29 02:30:00", "2037-12-31 23:59:59"),
        ("1", None, "0", "1"),
        ("53", "300", "65535", None),
        ("нет", "a'b", "x;y", "да"),
        ("red,blue", "", "green", "red"),
        ("b", "ж", "", "  a"),
    )
    for number in range(TYPE_ROWS):
        fixed = [case[number % 4] for case in cases]
        binary = (b"\x00\x01;'\n", random.randbytes(16), b"", None)[number % 4]
        blob = (random.randbytes(300), bytes(range(256)), b"", b"0")[number % 4]
        document = f'{{"k": "строка {number}", "n": {number}}}' if number % 3 else None
        yield (number + 1, *fixed, binary, blob, document, TRICKY[number % len(TRICKY)])


def log_rows(random: Random, staff: Staff, count: int, end: int) -> Iterator[Row]:
    """Rows of b_event_log."""
    people = staff.staff
    for number in range(1, count + 1):
        user = people[int(random.random() * len(people))].id
        moment = stamp(end - int(random.random() * 7 * DAY))
        words = " ".join(random.choices(NOUNS, k=4))
        yield (
            *(number, moment, "SECURITY", "USER_AUTHORIZE", "main", str(user), f"192.0.2.{number % 250}"),
            *('SyntheticAgent/1.0 (test; "ua")', "/auth/?x=1&y=%27", "s1", user, words),
        )


def hot_key_rows(staff: Staff) -> Iterator[Row]:
    """Rows of b_hot_keys."""
    for number in range(1, HOT_KEYS + 1):
        yield (number, f"Ctrl+Alt+{48 + number}", number, staff.staff[number].id)


def hot_key_code_rows() -> Iterator[Row]:
    """Rows of b_hot_keys_code."""
    for number in range(1, HOT_KEYS + 1):
        yield (number, "CSample", f"alert('{number}');", f"HK_{number}", None, None, "/bitrix/admin/", 0)


def counter_rows(staff: Staff) -> Iterator[Row]:
    """Rows of b_user_counter."""
    for number, user in enumerate(staff.users, 1):
        yield (number, user.id, "**", "im", number % 9 - 1, None, "3000-01-01 00:00:00", "1")


def legacy_rows(random: Random) -> Iterator[Row]:
    """Rows of b_im_legacy_word, which has no key at all; ordered by the bytes of all columns."""
    rows = {
        (random.randrange(20), random.choice((*NOUNS[:9], "Склад", "СКЛАД")), TRICKY[n % 3])
        for n in range(60)
    }
    yield from sorted(rows, key=lambda row: (row[0], row[1].encode(), row[2].encode()))


def short_link_rows(random: Random, end: int) -> Iterator[Row]:
    """Rows of b_short_uri."""
    for number in range(1, SHORT_LINKS + 1):
        code = f"{random.getrandbits(28):07x}".encode() if number % 9 else b""
        checksums = (random.randrange(-(2**31), 2**31), random.randrange(-(2**31), 2**31))
        uri = f"/crm/lead/details/{number}/?a=1&b='2'"
        yield (number, uri, checksums[0], code, checksums[1], 301, stamp(end - number * DAY), None, 0)


def language_rows() -> Iterator[Row]:
    """Rows of b_language."""
    for code, default, name in LANGUAGES:
        yield (code, 10, default, "Y", name, 1, None)


def template_rows() -> Iterator[Row]:
    """Rows of b_site_template."""
    yield (1, "s1", "CSite::InDir('/pub/')", 10, "pub")
    yield (2, "s1", "", 500, "bitrix24")
