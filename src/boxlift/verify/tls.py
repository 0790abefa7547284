"""A TLS client that takes nothing on trust: which certificate a port presents, by which version of TLS."""

from __future__ import annotations

import hashlib
import socket
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

SECONDS = 10


@dataclass(frozen=True)
class Served:
    """A finished handshake. `fingerprint`: SHA-256 of the certificate, hex."""

    protocol: str
    cipher: str
    fingerprint: str
    not_after: datetime

    @property
    def left(self) -> timedelta:
        """How long the certificate is still good."""
        return self.not_after - datetime.now(UTC)


def context(ca_file: Path | None, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    """A client's settings: one version of TLS alone, or any; `ca_file` None trusts the system's."""
    made = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    if version is not None:
        if version < ssl.TLSVersion.TLSv1_2:
            # OpenSSL has to be talked into what is old: it is the server that is to refuse.
            made.set_ciphers("ALL:@SECLEVEL=0")
        made.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        made.maximum_version = version
        made.minimum_version = version
    return made


def connect(
    address: str, name: str, port: int, settings: ssl.SSLContext, *, receive: int | None = None
) -> ssl.SSLSocket:
    """A connection to the service `name` at an address, its certificate verified.

    :param receive: bytes that may be under way while nobody reads; None leaves it to the system.
    """
    plain = socket.socket()
    try:
        if receive is not None:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        plain.settimeout(SECONDS)
        plain.connect((address, port))
        return settings.wrap_socket(plain, server_hostname=name)
    except OSError:
        plain.close()
        raise


def served(
    address: str, name: str, port: int, ca_file: Path | None, version: ssl.TLSVersion | None = None
) -> Served:
    """Shake hands.

    Raises:
        ssl.SSLError: the certificate is not for `name` or not trusted, or the version is refused.
        OSError: nobody answers.
    """
    with connect(address, name, port, context(ca_file, version)) as connection:
        certificate = x509.load_der_x509_certificate(connection.getpeercert(binary_form=True) or b"")
        cipher = connection.cipher()
        return Served(
            connection.version() or "",
            cipher[0] if cipher else "",
            certificate.fingerprint(SHA256()).hex(),
            certificate.not_valid_after_utc,
        )


def fingerprint(address: str, port: int) -> str:
    """SHA-256 of the certificate that a port presents, hex, whoever it is for and whoever signed it."""
    pem = ssl.get_server_certificate((address, port), timeout=SECONDS)
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()
