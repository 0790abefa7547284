"""Certificates are checked, and a source on https never leads to plain http.

Each run is a process of its own, because the system's certificates are read once.
"""

from __future__ import annotations

import ipaddress
import os
import ssl
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from backup_samples import M1
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from faulty_server import Answer, FaultyServer

SOURCES = Path(__file__).parents[1] / "src"
HOST = "127.0.0.1"
FETCH = """
import asyncio, sys
from pathlib import Path
from bxbackup.errors import BackupError
from bxbackup.source import open_source
from bxbackup.transfer import Transfer

class Told:
    def head(self, *_): pass
    def planned(self, *_): pass
    def ready(self, part, path): print(path.name)
    def failed(self, part, error): raise error
    def repaired(self, *_): pass
    def waiting(self, *_): pass

try:
    asyncio.run(Transfer(open_source(sys.argv[1]), Path(sys.argv[2]), Told(), patience=2).run())
except BackupError as error:
    print(*error.lines(), file=sys.stderr)
    sys.exit(error.exit_code)
"""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key and certificate of a server on 127.0.0.1, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "backup.example")])
    today = datetime.now(UTC)
    found = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + found.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def secure(certificate: Path) -> Iterator[FaultyServer]:
    """Serves sample M1 over https."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with FaultyServer(M1.folder, context) as found:
        yield found


def fetch(url: str, folder: Path, trusted: Path | None) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    environment |= {"PYTHONPATH": str(SOURCES)}
    if trusted is not None:
        environment["SSL_CERT_FILE"] = str(trusted)
    return subprocess.run(
        [sys.executable, "-c", FETCH, url, str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_trusted_server_is_fetched_from(secure: FaultyServer, certificate: Path, tmp_path: Path) -> None:
    found = fetch(secure.url(M1.names[0]), tmp_path, certificate)
    assert found.returncode == 0, found.stderr
    assert sorted(found.stdout.split()) == sorted(M1.names)


def test_a_certificate_that_nobody_vouches_for_stops_at_once(secure: FaultyServer, tmp_path: Path) -> None:
    found = fetch(secure.url(M1.names[0], "sig=canary"), tmp_path, None)
    assert found.returncode == 4
    assert "certificate" in found.stderr
    assert "canary" not in found.stderr
    assert secure.requests == []


def test_a_way_from_https_to_http_is_refused(secure: FaultyServer, certificate: Path, tmp_path: Path) -> None:
    with FaultyServer(M1.folder) as plain:
        secure.rules.append(lambda seen: Answer(redirect=plain.url(seen.name)))
        found = fetch(secure.url(M1.names[0]), tmp_path, certificate)
    assert found.returncode == 4
    assert "plain http" in found.stderr
    assert not any(path.stat().st_size for path in tmp_path.iterdir())
