"""How a host reaches its database server, in the file that every program reads."""

import pytest
import yaml

from tests.templates.renderer import ROOT, Renderer

REMOTE = {
    "database_client_host": "192.0.2.20",
    "database_client_user": "boxlift",
    "database_client_password": "a secret",
}


def test_the_server_of_the_same_host_is_reached_by_its_socket(example: Renderer) -> None:
    text = example.text("database_client", "database.cnf.j2")
    assert text.split("[client]\n")[1] == "socket=/run/mysqld/mysqld.sock\nuser=root\n"


def test_another_hosts_server_is_reached_under_tls(example: Renderer) -> None:
    text = example.text("database_client", "database.cnf.j2", **REMOTE)
    assert text.split("[client]\n")[1] == (
        "host=192.0.2.20\nport=3306\nssl-ca=/etc/boxlift/database-ca.pem\nssl-verify-server-cert=1\n"
        'user=boxlift\npassword="a secret"\n'
    )


@pytest.mark.parametrize("word", ["a secret", "", 'a"b', "a'b", "a\\b", "a\nb"])
def test_a_password_that_no_option_file_carries_is_seen_before(example: Renderer, word: str) -> None:
    (task,) = yaml.safe_load((ROOT / "roles/database_client/tasks/preflight.yml").read_text())
    given = {**REMOTE, "database_client_password": word}
    kept = [
        example.value("database_client", condition, **given)
        for condition in task["ansible.builtin.assert"]["that"]
    ]
    assert all(kept) == (word == "a secret")
