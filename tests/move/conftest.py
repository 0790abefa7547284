"""The story plays once, on hosts of its own; its tests are its chapters."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.move.support import Story, begin, end


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--go-on",
        action="store_true",
        help="keep hosts and journal of an earlier run, for its later chapters",
    )


@pytest.fixture(scope="session")
def story(request: pytest.FixtureRequest) -> Iterator[Story]:
    """Hosts of a story that did not end well stay, to be looked at."""
    found = begin(go_on=bool(request.config.getoption("--go-on")))
    yield found
    if not request.session.testsfailed:
        end(found)
