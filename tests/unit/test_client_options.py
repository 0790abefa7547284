"""What boxlift's modules read of a client option file, and what they say where it cannot be read."""

from pathlib import Path

import pytest
from ansible.module_utils.boxlift_sql import Database, NoOptionFileError, client_options


def test_values_are_read_without_their_quotes(tmp_path: Path) -> None:
    file = tmp_path / "database.cnf"
    file.write_text(
        "# comment\n[client]\nhost=192.0.2.1\nport=3307\nssl_ca=/etc/ca.pem\nssl-verify-server-cert\n"
        "user=boxlift\npassword='a = #c%d'\n[mysqldump]\nuser=other\n"
    )
    assert client_options(file) == {
        "host": "192.0.2.1",
        "port": "3307",
        "ssl-ca": "/etc/ca.pem",
        "ssl-verify-server-cert": "",
        "user": "boxlift",
        "password": "a = #c%d",
    }


def test_a_host_without_the_file_is_told_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NoOptionFileError, match="boxlift run provision-production"):
        Database({"config_file": str(tmp_path / "absent.cnf")})


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"password=canary\n",
        b"[client\npassword=canary",
        b"[client]\n=canary\n",
        b"[client]\n\xff",
        b"[client]\nport",
    ],
)
def test_a_broken_file_is_not_quoted(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "database.cnf"
    file.write_bytes(content)
    with pytest.raises(NoOptionFileError, match="provisioning writes it anew") as caught:
        client_options(file)
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None
