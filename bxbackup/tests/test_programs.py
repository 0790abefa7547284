"""A machine that must have every program passes no test by leaving it out."""

from __future__ import annotations

import pytest
from programs import VARIABLE, needs, program


def test_what_is_missing_is_left_out_or_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert needs("sh", "no-such-program", package="none").args == (True,)
    with pytest.raises(pytest.skip.Exception, match="apt-get install none"):
        program("no-such-program", "none")
    monkeypatch.setenv(VARIABLE, "required")
    for demand in (program, lambda name, package: needs(name, package=package)):
        with pytest.raises(pytest.fail.Exception, match="no-such-program not installed"):
            demand("no-such-program", "none")


def test_what_is_there_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "required")
    assert program("sh", "dash").endswith("/sh")
    assert needs("sh", package="dash").args == (False,)
