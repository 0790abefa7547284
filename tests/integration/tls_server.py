"""A MariaDB that speaks TLS on loopback, with a certificate of an authority of the tests' own."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pymysql
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.integration.mariadb import running

ADDRESS = "127.0.0.1"
OTHER_ADDRESS = "127.0.0.2"


@dataclass(frozen=True)
class Authority:
    """A certificate authority: its certificate's file, and what it signs with."""

    certificate: Path
    name: x509.Name
    key: ec.EllipticCurvePrivateKey

    def sign(self, folder: Path, address: str) -> tuple[Path, Path]:
        """Certificate and key of a server with that address."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))])
        signed = (_builder(_name("server"), self.name, key).add_extension(names, critical=False)).sign(
            self.key, hashes.SHA256()
        )
        place, key_place = folder / "server.pem", folder / "server.key"
        place.write_bytes(signed.public_bytes(Encoding.PEM))
        key_place.write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        )
        return place, key_place


@dataclass(frozen=True)
class TlsServer:
    """The server: its port, and the authority of its certificate."""

    port: int
    ca: Path


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
    )


def authority(folder: Path) -> Authority:
    """A new authority."""
    key, name = ec.generate_private_key(ec.SECP256R1()), _name("authority")
    own = _builder(name, name, key).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    )
    place = folder / "authority.pem"
    place.write_bytes(own.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    return Authority(place, name, key)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server((ADDRESS, 0)) as place:
        return int(place.getsockname()[1])


def tls_server(home: Path) -> Iterator[TlsServer]:
    """A server whose account `portal` is bound to TLS; its certificate names one of its two addresses."""
    own = authority(home)
    certificate, key = own.sign(home, ADDRESS)
    port = free_port()
    options = [f"--ssl-cert={certificate}", f"--ssl-key={key}", "--max-allowed-packet=64M"]
    with running(home, f"--bind-address={ADDRESS},{OTHER_ADDRESS}", f"--port={port}", *options) as place:
        with pymysql.connect(unix_socket=str(place), user="root") as session, session.cursor() as cursor:
            cursor.execute("CREATE DATABASE portal_box")
            cursor.execute("CREATE USER portal@'127.0.0.%' IDENTIFIED BY 'portal-secret' REQUIRE SSL")
            cursor.execute("GRANT ALL ON `portal\\_%`.* TO portal@'127.0.0.%'")
        yield TlsServer(port, own.certificate)
