"""Whether a certificate, its chain and its key can be put into service.

Runs on the control node, and on portal hosts that renew by themselves: Debian 12 has cryptography 38.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import MD5, SHA1, SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    pkcs7,
)
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

SMALLEST_RSA = 2048
SMALLEST_CURVE = 256

_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)
_SEQUENCE = 0x30
_PKCS12_VERSION = b"\x02\x01\x03"
_DER_HEADER = 8


class CertificateError(Exception):
    """A file that cannot be read as what it should be; the text says what to do."""


@dataclass(frozen=True)
class Pair:
    """A certificate with its chain, leaf first, and the file of the key that it belongs to."""

    chain: tuple[x509.Certificate, ...]
    key: Path

    @property
    def names(self) -> list[str]:
        return covered_names(self.chain[0])

    @property
    def not_after(self) -> datetime:
        return validity(self.chain[0])[1]

    @property
    def fingerprint(self) -> str:
        return self.chain[0].fingerprint(SHA256()).hex()


def validity(certificate: x509.Certificate) -> tuple[datetime, datetime]:
    """Begin and end in UTC."""
    if hasattr(certificate, "not_valid_after_utc"):
        return certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return certificate.not_valid_before.replace(tzinfo=UTC), certificate.not_valid_after.replace(tzinfo=UTC)


def common_name(name: x509.Name) -> str:
    """What people call the holder of a certificate."""
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else name.rfc4514_string()


def covered_names(certificate: x509.Certificate) -> list[str]:
    """DNS names of the certificate; the common name counts for nothing since browsers ignore it."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [name.lower() for name in names.get_values_for_type(x509.DNSName)]


def covers(pattern: str, name: str) -> bool:
    """Whether a name of a certificate stands for a host name; a star stands for one label."""
    if pattern.startswith("*."):
        return name.partition(".")[2] == pattern[2:] and not name.startswith(".")
    return pattern == name


def is_authority(certificate: x509.Certificate) -> bool:
    """Whether it may sign others."""
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def issued(child: x509.Certificate, parent: x509.Certificate) -> bool:
    """Whether the parent's key signed the child."""
    if child.issuer != parent.subject:
        return False
    try:
        if hasattr(child, "verify_directly_issued_by"):
            child.verify_directly_issued_by(parent)
        else:
            _verify(child, parent)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _verify(child: x509.Certificate, parent: x509.Certificate) -> None:
    """The same for cryptography before 40."""
    key, algorithm = parent.public_key(), child.signature_hash_algorithm
    if isinstance(key, rsa.RSAPublicKey) and algorithm is not None:
        key.verify(child.signature, child.tbs_certificate_bytes, padding.PKCS1v15(), algorithm)
    elif isinstance(key, ec.EllipticCurvePublicKey) and algorithm is not None:
        key.verify(child.signature, child.tbs_certificate_bytes, ec.ECDSA(algorithm))
    elif isinstance(key, ed25519.Ed25519PublicKey):
        key.verify(child.signature, child.tbs_certificate_bytes)
    else:
        raise InvalidSignature


def read_chain(path: Path) -> tuple[x509.Certificate, ...]:
    """Certificates of a PEM file in its order; CertificateError says how to make one of what the file is."""
    raw = _bytes_of(path)
    kinds = [match[1].decode() for match in _BLOCK.finditer(raw)]
    if "CERTIFICATE" not in kinds:
        raise CertificateError(_other_form(path, raw, kinds))
    if any(kind.endswith("PRIVATE KEY") for kind in kinds):
        raise CertificateError(
            f"{path} holds a private key too, and certificates are readable by all: openssl crl2pkcs7 -nocrl"
            f" -certfile {path} | openssl pkcs7 -print_certs -out {path.with_suffix('.chain.pem')} takes"
            " the certificates alone"
        )
    try:
        return tuple(
            x509.load_pem_x509_certificate(match[0])
            for match in _BLOCK.finditer(raw)
            if match[1] == b"CERTIFICATE"
        )
    except ValueError as error:
        raise CertificateError(f"{path} holds a damaged certificate: {error}") from error


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CertificateError(f"{path} cannot be read: {error.strerror}") from error


def _other_form(path: Path, raw: bytes, kinds: Sequence[str]) -> str:
    """What a file without a PEM certificate is, and the command that makes one of it."""
    pem = path.with_suffix(".pem") if path.suffix != ".pem" else path.with_suffix(".new.pem")
    if "PKCS7" in kinds:
        return f"{path} is PKCS#7: openssl pkcs7 -print_certs -in {path} -out {pem} makes PEM of it"
    unknown = f"{path} holds no certificate in PEM form" + (f", but {kinds[0].lower()}" if kinds else "")
    if raw[:1] != bytes([_SEQUENCE]):
        return unknown
    if _PKCS12_VERSION in raw[:_DER_HEADER]:
        return (
            f"{path} is PKCS#12 (PFX): openssl pkcs12 -in {path} -nokeys -out {pem} takes out the"
            f" certificates, openssl pkcs12 -in {path} -nocerts -nodes -out {pem.with_suffix('.key')} the key"
        )
    if _loads(x509.load_der_x509_certificate, raw):
        return f"{path} is DER: openssl x509 -inform DER -in {path} -out {pem} makes PEM of it"
    if _loads(pkcs7.load_der_pkcs7_certificates, raw):
        command = f"openssl pkcs7 -inform DER -print_certs -in {path} -out {pem}"
        return f"{path} is PKCS#7: {command} makes PEM of it"
    return unknown


def _loads(loader: Callable[[bytes], object], raw: bytes) -> bool:
    try:
        loader(raw)
    except (ValueError, UnsupportedAlgorithm):
        return False
    return True


def owned_key(chain: Sequence[x509.Certificate], keys: Sequence[Path]) -> Path:
    """The first of some key files that belongs to the chain's first certificate.

    CertificateError says what is wrong with each where none does, or that others can read it.
    """
    found = []
    for path in keys:
        try:
            trouble = _key_problem(chain[0], path)
        except CertificateError as error:
            trouble = str(error)
        if trouble is None:
            if path.stat().st_mode & 0o077:
                raise CertificateError(f"{path} can be read by others: chmod 600 {path}")
            return path
        found.append(trouble)
    raise CertificateError("; ".join(found))


def _key_problem(certificate: x509.Certificate, path: Path) -> str | None:
    """Why a file is not this certificate's key."""
    raw = _bytes_of(path)
    try:
        key = load_pem_private_key(raw, password=None)
    except TypeError:
        plain = path.with_suffix(".plain.key")
        return (
            f"{path} is protected by a passphrase; services start without anyone to type it:"
            f" (umask 077; openssl pkey -in {path} -out {plain}) takes it off"
        )
    except (ValueError, UnsupportedAlgorithm):
        if raw[:1] == bytes([_SEQUENCE]):
            plain = path.with_suffix(".pem.key")
            return (
                f"{path} holds no private key in PEM form; if it is DER, (umask 077; openssl pkey -inform DER"
                f" -in {path} -out {plain}) makes PEM of it"
            )
        return f"{path} holds no private key in PEM form"
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if key.public_key().public_bytes(*form) == certificate.public_key().public_bytes(*form):
        return None
    return f"the key {path} does not belong to the certificate of {common_name(certificate.subject)}"


def weaknesses(certificate: x509.Certificate) -> list[str]:
    """Keys and signatures that clients refuse today."""
    who = common_name(certificate.subject)
    found = []
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size < SMALLEST_RSA:
            found.append(f"the key of {who} has {key.key_size} bits, {SMALLEST_RSA} are needed")
    elif isinstance(key, ec.EllipticCurvePublicKey):
        if key.curve.key_size < SMALLEST_CURVE:
            found.append(f"the curve of {who} has {key.curve.key_size} bits, {SMALLEST_CURVE} are needed")
    elif not isinstance(key, ed25519.Ed25519PublicKey):
        found.append(f"the key of {who} is neither RSA nor elliptic curve")
    # A root is trusted because it is known, whatever it signed itself with.
    by_itself = certificate.issuer == certificate.subject
    if isinstance(certificate.signature_hash_algorithm, (MD5, SHA1)) and not by_itself:
        found.append(f"{who} is signed with {certificate.signature_hash_algorithm.name.upper()}")
    return found


def in_order(chain: Sequence[x509.Certificate]) -> list[x509.Certificate]:
    """The server's certificate and, behind each one, the one that signed it, as far as they are there."""
    leaf = next((each for each in chain if not is_authority(each)), chain[0])
    path, others = [leaf], [each for each in chain if each != leaf]
    while (signer := next((each for each in others if issued(path[-1], each)), None)) is not None:
        path.append(signer)
        others.remove(signer)
    return path


def chain_problems(chain: Sequence[x509.Certificate], roots: Iterable[x509.Certificate]) -> list[str]:
    """Whether each certificate is signed by the next and one of them by a root.

    Sellers send roots that an older root has signed; clients stop at the first that they know.
    """
    path = in_order(chain)
    last = path[-1]
    known = any(root == each or issued(each, root) for root in roots for each in path)
    if not known and last.issuer == last.subject:
        return [f"the chain ends at {common_name(last.subject)}, which signed itself and is no trusted root"]
    if not known:
        return [_missing(last)]
    found = []
    if list(chain[: len(path)]) != path:
        names = ", ".join(common_name(each.subject) for each in path)
        found.append(f"the chain is in the wrong order; put one behind the other: {names}")
    found += [
        f"{common_name(each.subject)} does not belong to the chain: take it out"
        for each in chain
        if each not in path
    ]
    found += [
        f"{common_name(each.subject)} signs others without being an authority"
        for each in path[1:]
        if not is_authority(each)
    ]
    return found


def _missing(last: x509.Certificate) -> str:
    text = (
        f"an intermediate is missing: the chain ends at {common_name(last.subject)}, and"
        f" {common_name(last.issuer)}, which signed it, is no trusted root"
    )
    try:
        access = last.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except x509.ExtensionNotFound:
        return text
    places = [
        str(each.access_location.value)
        for each in access
        if each.access_method == AuthorityInformationAccessOID.CA_ISSUERS
    ]
    return f"{text}; it is at {places[0]}" if places else text


def date_problems(chain: Sequence[x509.Certificate], now: datetime, minimum_days: int) -> list[str]:
    """Certificates that are not yet, no longer or not much longer good."""
    found = []
    for certificate in chain:
        who = common_name(certificate.subject)
        begin, end = validity(certificate)
        if begin > now:
            found.append(f"{who} is good only from {begin:%Y-%m-%d %H:%M} UTC on")
        if end < now:
            found.append(f"{who} ended on {end:%Y-%m-%d}")
        elif end < now + timedelta(days=minimum_days):
            found.append(f"{who} ends on {end:%Y-%m-%d}, in less than {minimum_days} days")
    return found


def purpose_problems(certificate: x509.Certificate) -> list[str]:
    """A certificate that may not speak for a server."""
    if is_authority(certificate):
        return [
            f"{common_name(certificate.subject)} is an authority's certificate, the server's is not there"
        ]
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return []
    if ExtendedKeyUsageOID.SERVER_AUTH in usage:
        return []
    return [f"{common_name(certificate.subject)} is not made for servers (extended key usage)"]


def name_problems(certificate: x509.Certificate, names: Iterable[str]) -> list[str]:
    """Host names that it does not stand for."""
    patterns = covered_names(certificate)
    return [
        f"the certificate does not cover {name}; it covers {', '.join(patterns) or 'no name at all'}"
        for name in names
        if not any(covers(pattern, name.lower()) for pattern in patterns)
    ]


def examine(
    certificate: Path, keys: Sequence[Path], roots: Path, names: Iterable[str], minimum_days: int
) -> tuple[Pair | None, list[str]]:
    """All that speaks against a certificate; without problems also the pair that goes into service.

    :param keys: files where its key may be; a renewal's key lies beside the one in service.
    """
    try:
        chain = read_chain(certificate)
        known = read_chain(roots)
    except CertificateError as error:
        return None, [str(error)]
    leaf = in_order(chain)[0]
    found = []
    key = keys[0]
    try:
        key = owned_key([leaf], keys)
    except CertificateError as error:
        found.append(str(error))
    found += name_problems(leaf, names)
    found += date_problems(chain, datetime.now(UTC), minimum_days)
    found += purpose_problems(leaf)
    found += chain_problems(chain, known)
    for each in chain:
        found += weaknesses(each)
    return (None, found) if found else (Pair(chain, key), [])
