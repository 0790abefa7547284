"""Rows statements taken apart."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_dump import LITERALS

from bxbackup.errors import DamagedError
from bxbackup.rows import batches, take_apart

ROWS = st.lists(
    st.lists(LITERALS, min_size=1, max_size=4).map(lambda values: b"(" + b", ".join(values) + b")"),
    min_size=1,
    max_size=6,
)
HEADS = st.sampled_from(
    [b"INSERT INTO `t` VALUES\n", b"INSERT INTO `a``b` (`x`, `y`) VALUES ", b"insert into `t` values"]
)


@settings(max_examples=300, deadline=None)
@given(HEADS, ROWS, st.sampled_from([b",\n", b",", b" , "]))
def test_rows_come_out_as_they_went_in(head: bytes, rows: list[bytes], between: bytes) -> None:
    insert = take_apart(head + between.join(rows))
    assert insert.head == head
    assert list(insert.rows) == rows
    assert insert.to_twin.startswith(b"INSERT INTO `bxbackup_twin`")


@settings(max_examples=200, deadline=None)
@given(ROWS, st.integers(10, 300))
def test_batches_hold_all_rows_in_order_and_keep_the_limit(rows: list[bytes], limit: int) -> None:
    insert = take_apart(b"INSERT INTO `t` VALUES\n" + b",\n".join(rows))
    found = list(batches(insert, limit))
    assert [row for batch in found for row in batch] == rows
    for batch in found:
        assert len(batch) == 1 or len(insert.head + b",".join(batch)) <= limit


@pytest.mark.parametrize(
    "text",
    [
        b"INSERT INTO `t` VALUES\n",
        b"INSERT INTO `t` VALUES\n(1),",
        b"INSERT INTO `t` VALUES\n(1",
        b"INSERT INTO `t` VALUES\n('a),('b')",
        b"INSERT INTO `t` VALUES\n(1) SELECT 2",
        b"INSERT INTO `t` SELECT 1",
        b"INSERT INTO `t` VALUES\n(" + b"'a'," * 50_000,
    ],
    ids=range(7),
)
def test_what_is_no_list_of_rows_is_damage(text: bytes) -> None:
    with pytest.raises(DamagedError):
        take_apart(text)
