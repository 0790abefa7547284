"""Sessions with a server, without one."""

from __future__ import annotations

from typing import Any

import pymysql
import pytest
from pymysql.constants import CR

from bxbackup.server import Account, Session, SessionLostError

AUTHORITY = {"ssl-ca": "/etc/ssl/ca.pem"}


@pytest.mark.parametrize(
    ("host", "tls", "disabled"),
    [(None, {}, True), (None, AUTHORITY, False), ("db.acme.example", {}, False)],
)
def test_a_socket_needs_no_encryption(
    monkeypatch: pytest.MonkeyPatch, host: str | None, tls: dict[str, str], disabled: bool
) -> None:
    asked: dict[str, Any] = {}

    def connect(**values: Any) -> None:
        asked.update(values)
        raise pymysql.OperationalError(CR.CR_CONN_HOST_ERROR, "away")

    monkeypatch.setattr(pymysql, "connect", connect)
    with pytest.raises(SessionLostError):
        Session(Account("portal", "", host, 3306, None if host else "/run/server.sock", tls))
    assert asked["ssl_disabled"] is disabled
    assert asked["ssl_ca"] == tls.get("ssl-ca")
