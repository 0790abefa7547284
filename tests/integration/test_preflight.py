"""The checks against real services on loopback: name, web and mail server, this machine as host."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from email.header import decode_header, make_header
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Mailbox
from ruamel.yaml import YAML
from typer.testing import CliRunner

from boxlift.cli import app
from boxlift.errors import StepFailedError, UsageError
from boxlift.preflight import check_project, confirm_letter, send_letter
from boxlift.preflight.letter import check_letter
from boxlift.preflight.names import Names, check_mail_names, check_names
from boxlift.project import Answers, Project, create
from library.backup_link import look
from library.network_reach import reach

WORLD = {
    ("portal.acme.test", "A"): ("203.0.113.7", 86400),
    ("staging.acme.test", "A"): ("203.0.113.8", 60),
    ("acme.test", "TXT"): ('"v=spf1 ip4:203.0.113.9 " "-all"', 300),
    ("_dmarc.acme.test", "TXT"): ('"v=DMARC1; p=none"', 300),
    ("box._domainkey.acme.test", "TXT"): ('"v=DKIM1; p=MIIB"', 300),
    ("9.113.0.203.in-addr.arpa", "PTR"): ("mail.acme.test.", 300),
    ("mail.acme.test", "A"): ("203.0.113.9", 300),
    ("5.113.0.203.in-addr.arpa", "PTR"): ("staging.acme.test.", 300),
}


@pytest.fixture
def names() -> Iterator[Names]:
    """A name server that knows WORLD and nothing else."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            asked, client = server.recvfrom(4096)
            if not asked:
                return
            question = dns.message.from_wire(asked)
            name = str(question.question[0].name).rstrip(".")
            kind = dns.rdatatype.to_text(question.question[0].rdtype)
            answer = dns.message.make_response(question)
            answer.flags |= dns.flags.RA
            if (name, kind) in WORLD:
                text, ttl = WORLD[name, kind]
                answer.answer.append(dns.rrset.from_text(f"{name}.", ttl, "IN", kind, text))
            elif not any(known == name for known, _ in WORLD):
                answer.set_rcode(dns.rcode.NXDOMAIN)
            server.sendto(answer.to_wire(), client)

    thread = threading.Thread(target=serve)
    thread.start()
    yield Names(["127.0.0.1"], server.getsockname()[1])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
        last.sendto(b"", server.getsockname())
    thread.join()
    server.close()


def test_names_that_users_will_use(names: Names) -> None:
    wanted = {"portal.acme.test": ["203.0.113.1"], "staging.acme.test": ["203.0.113.8"], "pbx.acme.test": []}
    found = {(finding.subject, finding.check): finding for finding in check_names(names, wanted)}
    assert found["portal.acme.test", "dns"].ok
    late = found["portal.acme.test", "dns ttl"]
    assert (late.ok, late.measured, late.warning) == (False, "1 d", True)
    assert found["staging.acme.test", "dns"].measured == "203.0.113.8, kept 1 min"
    assert ("staging.acme.test", "dns ttl") not in found, "it has the address that it shall have"
    assert found["pbx.acme.test", "dns"].measured == "no such name"


def test_what_mail_servers_ask_of_a_sender(names: Names) -> None:
    sound = list(check_mail_names(names, "acme.test", ["box"], "203.0.113.9"))
    assert [finding.check for finding in sound if finding.ok] == ["spf", "dmarc", "dkim", "ptr"]
    assert sound[0].measured == "v=spf1 ip4:203.0.113.9 -all"
    poor = list(check_mail_names(names, "staging.acme.test", ["old"], "203.0.113.5"))
    assert not any(finding.ok for finding in poor)
    assert poor[-1].measured == "staging.acme.test, which has not 203.0.113.5"


def test_no_name_server_is_no_answer_instead_of_no_record() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        away = Names(["127.0.0.1"], silent.getsockname()[1], patience=0.2)
        found = list(check_mail_names(away, "acme.test", [], None))
    assert [finding.measured for finding in found] == ["no name server answers"]


class Store(BaseHTTPRequestHandler):
    """A store of backups: /part is one, the other paths misbehave."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path in {"/gone", "/down", "/round"}:
            self.send_response(403 if path == "/gone" else 302)
            self.send_header("Location", {"/down": "ftp://elsewhere/part"}.get(path, path))
            self.end_headers()
            return
        if path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/part?signature=canary")
            self.end_headers()
            return
        body = b"\x1f\x8b" + b"x" * 98
        whole = path == "/whole"
        self.send_response(200 if whole else 206)
        self.send_header("Content-Length", "100" if whole else "64")
        if not whole:
            self.send_header("Content-Range", "bytes 0-63/100")
        self.end_headers()
        self.wfile.write(body if whole else body[:64])

    def log_message(self, format: str, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def store() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Store) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("path", ["/part", "/whole", "/moved"])
def test_a_link_that_gives_its_first_bytes(store: str, path: str) -> None:
    found = look(f"{store}{path}?signature=canary", 5)
    assert found["size"] == 100
    assert bytes.fromhex(found["head"])[:2] == b"\x1f\x8b"
    assert "canary" not in repr(found)


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/gone", "the server answers 403 Forbidden"),
        ("/down", "redirects to a place without TLS"),
        ("/round", "redirects without end"),
    ],
)
def test_a_link_that_gives_nothing_says_why(store: str, path: str, error: str) -> None:
    found = look(f"{store}{path}?signature=canary", 5)
    assert error in found["error"]
    assert "canary" not in repr(found)


def test_sources_that_are_not_there(tmp_path: Path) -> None:
    assert look(str(tmp_path / "a.tar.gz"), 5) == {"error": "No such file or directory"}
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        assert look(f"http://127.0.0.1:{closed.getsockname()[1]}/a", 5) == {"error": "Connection refused"}


@pytest.fixture
def letters(tmp_path: Path) -> Iterator[tuple[Mailbox, int]]:
    kept = Mailbox(tmp_path / "maildir")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(kept, hostname="127.0.0.1", port=port)
    controller.start()
    yield kept, port
    controller.stop()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project whose production is this machine."""
    made = create(
        tmp_path / "acme",
        name="acme",
        answers=Answers("portal.acme.test", "staging.acme.test", "pbx.acme.test", "Europe/Moscow"),
        vault_password_file=tmp_path / "password",
    )
    groups = {
        name: {"hosts": {"portal-1": None}}
        for name in ("production", "portal", "database", "cache", "push", "search")
    }
    here: Mapping[str, object] = {
        "ansible_connection": "local",
        "ansible_python_interpreter": "/usr/bin/python3",
    }
    with (made.inventory / "hosts.yml").open("w") as file:
        YAML().dump({"all": {"hosts": {"portal-1": dict(here)}, "children": groups}}, file)
    return made


def set_variables(project: Project, **variables: object) -> None:
    with (project.inventory / "group_vars" / "all" / "zz_test.yml").open("w") as file:
        YAML().dump(variables, file)


def test_this_machine_is_looked_at_and_everything_is_told_at_once(
    project: Project, letters: tuple[Mailbox, int], store: str
) -> None:
    set_variables(
        project,
        mail_relay_host="127.0.0.1",
        mail_relay_port=letters[1],
        check_dns_servers=["127.0.0.1"],
        portal_license_key="ABC-DE",
        monitoring_tell=["https://chat.example/hooks/canary"],
    )
    (project.root / "backup" / "rehearsal.txt").write_text(f"{store}/gone?X-Amz-Signature=canary\n")
    (project.root / "backup" / "rehearsal.txt").chmod(0o600)
    found = {(finding.subject, finding.check): finding for finding in check_project(project)}
    assert found["portal-1", "reachable"].ok
    assert found["portal-1", "mail server"].ok
    assert found["portal-1", "mail server"].measured.startswith("127.0.0.1 port")
    gone = found["rehearsal's backup", "fetch"]
    assert not gone.ok
    assert "403" in gone.measured
    assert found["project", "licence key"].measured == "given, of another form"
    assert found["project", "monitoring"].measured == "1 target told"
    assert not found["project", "packages"].ok
    assert found["control node", "wheels"].measured == f"no wheel of bxbackup in {project.wheels}"
    assert found["portal-1", "certificate"].warning
    assert found["project", "test letter"].measured == "never sent"
    assert found["portal.acme.test", "dns"].measured == "no name server answers"
    assert "canary" not in repr(found)
    assert "ABC-DE" not in repr(found)


def test_a_letter_is_proved_by_its_word(project: Project, letters: tuple[Mailbox, int]) -> None:
    set_variables(project, mail_relay_host="127.0.0.1", mail_relay_port=letters[1])
    with pytest.raises(UsageError, match="no test letter"):
        confirm_letter(project, "AAAAAA")
    send_letter(project, "me@acme.test")
    (letter,) = letters[0].mailbox
    subject = str(make_header(decode_header(letter["Subject"])))
    word = subject.rpartition(" ")[2]
    assert "sent to me@acme.test" in check_letter(project).measured
    with pytest.raises(UsageError, match="another word"):
        confirm_letter(project, "AAAAAA")
    answered = CliRunner().invoke(app, ["-C", str(project.root), "check", "--letter-word", word.lower()])
    assert answered.exit_code == 0, answered.output
    assert check_letter(project).ok
    with project.journal() as journal:
        assert word not in repr(journal.incidents())
    send_letter(project, "me@acme.test")
    assert not check_letter(project).ok, "the newer letter was not read yet"


def test_a_letter_that_nobody_takes_is_a_failure(project: Project) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        set_variables(project, mail_relay_host="127.0.0.1", mail_relay_port=closed.getsockname()[1])
        with pytest.raises(StepFailedError, match="on portal-1"):
            send_letter(project, "me@acme.test")
    with pytest.raises(UsageError, match="no mail address"):
        send_letter(project, "me")
    assert not list(project.runs.iterdir())


def test_a_service_that_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        assert reach("127.0.0.1", port, greeting=False, timeout=1)["answers"]
        silent = reach("127.0.0.1", port, greeting=True, timeout=0.2)
        assert (silent["answers"], bool(silent["error"])) == (False, True)
