"""What a TLS service presents to a client. Runs on hosts down to Debian 11 without further packages."""

from __future__ import annotations

import hashlib
import socket
import ssl
import subprocess
import time
from dataclasses import dataclass

CONNECT_SECONDS = 5
PAUSE_SECONDS = 0.3


@dataclass(frozen=True)
class Presented:
    """One handshake: the certificate (DER) and the version of TLS, such as TLSv1.3."""

    certificate: bytes
    protocol: str

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, hex."""
        return hashlib.sha256(self.certificate).hexdigest()

    def not_after(self) -> int:
        """The certificate's end, in seconds since 1970."""
        # Python's ssl module parses only what it has verified; a certificate that nobody trusts ends too.
        shown = subprocess.run(
            ["openssl", "x509", "-inform", "DER", "-noout", "-enddate"],
            input=self.certificate,
            capture_output=True,
            check=True,
        )
        _, _, moment = shown.stdout.decode().strip().partition("=")
        return ssl.cert_time_to_seconds(moment)


def presented(host: str, port: int, server_name: str) -> Presented:
    """Shake hands once; OSError where nobody answers or the answer is not TLS.

    Whom the certificate is for and who signed it is not judged here.
    """
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    plain = socket.create_connection((host, port), timeout=CONNECT_SECONDS)
    with context.wrap_socket(plain, server_hostname=server_name) as connection:
        return Presented(connection.getpeercert(binary_form=True) or b"", connection.version() or "")


def wait_for(host: str, port: int, server_name: str, fingerprint: str, seconds: float) -> str | None:
    """Wait until a port presents the certificate with a fingerprint; what it does instead, or None."""
    end = time.monotonic() + seconds
    while True:
        try:
            found = presented(host, port, server_name).fingerprint
        except OSError as error:
            cause = f"no TLS connection to {host}:{port}: {error}"
        else:
            if found == fingerprint:
                return None
            cause = f"{host}:{port} presents another certificate (sha256 {found[:16]})"
        if time.monotonic() >= end:
            return cause
        time.sleep(PAUSE_SECONDS)
