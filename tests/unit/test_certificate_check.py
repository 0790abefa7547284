"""A certificate is put into service only when nothing speaks against it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from library.certificate_check import covers, problems_of

NAMES = ["portal.example.com", "pbx.example.com"]
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
) -> Holder:
    """A certificate that begins and ends some days from now; without names it is an authority."""
    own = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=begin))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=not names, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.DNSName(each) for each in names]), critical=False
        ).add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    return Holder(builder.sign(issuer.key if issuer else own, SHA256()), own)


def key_file(
    folder: Path, key: Key, *, mode: int = 0o600, lock: KeySerializationEncryption | None = None
) -> Path:
    path = folder / "privkey.pem"
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock or NoEncryption()))
    path.chmod(mode)
    return path


@pytest.fixture(scope="module")
def root() -> Holder:
    return make("Test Root", days=3650)


@pytest.fixture(scope="module")
def middle(root: Holder) -> Holder:
    return make("Test Intermediate", root, days=1800)


@pytest.fixture
def leaf(middle: Holder) -> Holder:
    return make("portal.example.com", middle, names=NAMES)


def check(
    folder: Path, root: Holder, chain: Sequence[Holder], key: Path | None = None, names: Sequence[str] = NAMES
) -> list[str]:
    key = key or key_file(folder, chain[0].key)
    return problems_of([holder.certificate for holder in chain], [root.certificate], key, names, 14)


def test_a_good_one(tmp_path: Path, root: Holder, middle: Holder, leaf: Holder) -> None:
    assert check(tmp_path, root, [leaf, middle]) == []
    assert check(tmp_path, root, [leaf, middle, root]) == []


def test_another_key(tmp_path: Path, root: Holder, middle: Holder, leaf: Holder) -> None:
    found = check(tmp_path, root, [leaf, middle], key_file(tmp_path, middle.key))
    assert len(found) == 1
    assert "does not belong to the certificate of portal.example.com" in found[0]


def test_a_key_that_others_can_read(tmp_path: Path, root: Holder, middle: Holder, leaf: Holder) -> None:
    found = check(tmp_path, root, [leaf, middle], key_file(tmp_path, leaf.key, mode=0o644))
    assert found == [f"{tmp_path}/privkey.pem can be read by others: chmod 600 {tmp_path}/privkey.pem"]


def test_a_key_behind_a_passphrase(tmp_path: Path, root: Holder, middle: Holder, leaf: Holder) -> None:
    locked = key_file(tmp_path, leaf.key, lock=BestAvailableEncryption(b"word"))
    assert "passphrase" in check(tmp_path, root, [leaf, middle], locked)[0]


def test_something_that_is_no_key(tmp_path: Path, root: Holder, middle: Holder, leaf: Holder) -> None:
    path = tmp_path / "privkey.pem"
    path.write_text("hello")
    path.chmod(0o600)
    assert "no private key" in check(tmp_path, root, [leaf, middle], path)[0]


def test_no_intermediate(tmp_path: Path, root: Holder, leaf: Holder) -> None:
    assert check(tmp_path, root, [leaf]) == [
        "the chain ends at Test Intermediate, which is no trusted root: an intermediate is missing"
    ]


def test_chain_out_of_order(tmp_path: Path, root: Holder, middle: Holder, leaf: Holder) -> None:
    assert "out of order" in check(tmp_path, root, [leaf, root, middle])[0]


def test_an_authority_that_only_bears_the_name(tmp_path: Path, root: Holder, leaf: Holder) -> None:
    impostor = make("Test Intermediate", root)
    assert any("out of order" in problem for problem in check(tmp_path, root, [leaf, impostor]))


def test_names_that_are_missing(tmp_path: Path, root: Holder, middle: Holder, leaf: Holder) -> None:
    assert check(tmp_path, root, [leaf, middle], names=["portal.example.com", "sip.example.com"]) == [
        "the certificate does not cover sip.example.com; it covers portal.example.com, pbx.example.com"
    ]


@pytest.mark.parametrize(
    ("days", "word"),
    [((1, 90), "good only from"), ((-90, -1), "ended on"), ((-80, 10), "in less than 14 days")],
)
def test_dates(tmp_path: Path, root: Holder, middle: Holder, days: tuple[int, int], word: str) -> None:
    holder = make("portal.example.com", middle, names=NAMES, begin=days[0], days=days[1])
    found = check(tmp_path, root, [holder, middle])
    assert len(found) == 1
    assert word in found[0]


def test_a_short_key(tmp_path: Path, root: Holder, middle: Holder) -> None:
    bits = 1024
    short = rsa.generate_private_key(65537, bits)
    holder = make("portal.example.com", middle, names=NAMES, key=short)
    assert check(tmp_path, root, [holder, middle]) == [
        "the key of portal.example.com has 1024 bits, 2048 are needed"
    ]


def test_a_certificate_for_people(tmp_path: Path, root: Holder, middle: Holder) -> None:
    holder = make("portal.example.com", middle, names=NAMES, usage=ExtendedKeyUsageOID.CLIENT_AUTH)
    assert "not made for servers" in check(tmp_path, root, [holder, middle])[0]


def test_every_problem_is_told(tmp_path: Path, root: Holder, middle: Holder) -> None:
    holder = make("portal.example.com", middle, names=["portal.example.com"], days=3)
    assert len(check(tmp_path, root, [holder])) == 3


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("portal.example.com", "portal.example.com", True),
        ("*.example.com", "portal.example.com", True),
        ("*.example.com", "a.portal.example.com", False),
        ("*.example.com", "example.com", False),
        ("example.com", "portal.example.com", False),
    ],
)
def test_stars(pattern: str, name: str, expected: bool) -> None:
    assert covers(pattern, name) is expected
