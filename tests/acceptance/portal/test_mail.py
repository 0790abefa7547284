"""Letters of the portal get into the queue of its host, and the server that takes them on answers.

No letter is sent: a portal that is not open yet may send none, and nobody waits for a probe of an open one.
"""

import json

import pytest
from testinfra.host import Host

from boxlift.verify.inventory import Setting

# One letter up to its content, as programs say it to sendmail: who takes the recipient would take the letter.
ACCEPTS = r"""
printf 'EHLO localhost\r\nMAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nRSET\r\nQUIT\r\n' "$1" "$2" |
  runuser --user portal -- "$3" -bs
"""
# The server's first word, heard by root: what the portal and its mailer send is counted.
GREETING = """
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=20) as connection:
    sys.stdout.write(connection.makefile(encoding="utf-8", errors="replace").readline())
    connection.sendall(b"QUIT\\r\\n")
"""


@pytest.fixture(autouse=True)
def relayed(setting: Setting) -> None:
    if setting("mail_relay_mode", "relay") != "relay":
        pytest.skip("no letter leaves this host (mail_relay_mode)")


def test_the_portal_may_queue_a_letter(portal: Host, setting: Setting) -> None:
    # portal_runtime G: PHP's mail() hands it to this program.
    program = portal.check_output("php -r %s", "echo ini_get('sendmail_path');").split()[0]
    domain = str(setting("portal_domain"))
    said = portal.check_output(
        "sh -c %s sh %s %s %s", ACCEPTS, f"no-reply@{domain}", f"postmaster@{domain}", program
    )
    codes = [line.split()[0] for line in said.splitlines() if line[3:4] != "-"]
    assert codes == ["220", "250", "250", "250", "250", "221"], said


@pytest.fixture
def server(setting: Setting) -> str:
    """The server that takes letters on."""
    if not setting("acceptance_mail_server", True):
        pytest.skip("the mail server is not there yet (acceptance_mail_server)")
    return str(setting("mail_relay_host"))


def test_the_next_server_answers(portal: Host, setting: Setting, server: str) -> None:
    port = str(setting("mail_relay_port", 25))
    assert portal.check_output("postconf -h relayhost") == f"[{server}]:{port}"
    greeting = portal.check_output("python3 -c %s %s %s", GREETING, server, port)
    assert greeting.startswith("220"), greeting


@pytest.mark.usefixtures("server")
def test_no_letter_is_stuck(portal: Host) -> None:
    waiting = [json.loads(line) for line in portal.check_output("postqueue -j").splitlines()]
    reasons = {
        recipient.get("delay_reason", "")
        for letter in waiting
        if letter["queue_name"] == "deferred"
        for recipient in letter["recipients"]
    }
    assert reasons == set()
