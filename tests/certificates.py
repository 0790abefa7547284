"""Certificates, chains and keys as tests need them, good and broken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True)
class Holder:
    certificate: x509.Certificate
    key: Key


def make(
    name: str,
    issuer: Holder | None = None,
    *,
    names: Sequence[str] = (),
    begin: int = -1,
    days: int = 90,
    key: Key | None = None,
    usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.SERVER_AUTH,
    issuer_at: str | None = None,
) -> Holder:
    """A certificate that begins and ends some days from now; without names it is an authority."""
    own = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = sign(
        subject,
        own.public_key(),
        issuer or own,
        names,
        begin=begin,
        days=days,
        usage=usage,
        issuer_at=issuer_at,
    )
    return Holder(made, own)


def sign(
    subject: x509.Name,
    public_key: CertificatePublicKeyTypes,
    issuer: Holder | Key,
    names: Sequence[str] = (),
    *,
    begin: int = -1,
    days: int = 90,
    usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.SERVER_AUTH,
    issuer_at: str | None = None,
) -> x509.Certificate:
    """A certificate for somebody's key; one that is signed with a bare key signs itself."""
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if isinstance(issuer, Holder) else subject)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=begin))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=not names, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.DNSName(each) for each in names]), critical=False
        ).add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    if issuer_at is not None:
        place = x509.AccessDescription(
            AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier(issuer_at)
        )
        builder = builder.add_extension(x509.AuthorityInformationAccess([place]), critical=False)
    return builder.sign(issuer.key if isinstance(issuer, Holder) else issuer, SHA256())


def key_file(
    folder: Path, key: Key, *, mode: int = 0o600, lock: KeySerializationEncryption | None = None
) -> Path:
    path = folder / "privkey.pem"
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock or NoEncryption()))
    path.chmod(mode)
    return path


def pem(path: Path, *holders: Holder) -> Path:
    path.write_bytes(b"".join(each.certificate.public_bytes(Encoding.PEM) for each in holders))
    return path
