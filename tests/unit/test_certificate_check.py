"""A certificate is put into service only when nothing speaks against it."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    pkcs7,
    pkcs12,
)
from cryptography.x509.oid import ExtendedKeyUsageOID

from module_utils.boxlift_certificate import covers, examine
from tests.certificates import Holder, Key, key_file, make, pem

NAMES = ["portal.example.com", "pbx.example.com"]


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
    return judge(folder, root, pem(folder / "fullchain.pem", *chain), key, names)


def judge(folder: Path, root: Holder, chain: Path, key: Path, names: Sequence[str] = NAMES) -> list[str]:
    pair, problems = examine(chain, [key], pem(folder / "roots.pem", root), names, 14)
    assert (pair is None) == bool(problems)
    return problems


def test_a_good_one(tmp_path: Path, root: Holder, middle: Holder, leaf: Holder) -> None:
    assert check(tmp_path, root, [leaf, middle]) == []
    assert check(tmp_path, root, [leaf, middle, root]) == []


def test_a_root_that_an_older_one_has_signed(
    tmp_path: Path, root: Holder, middle: Holder, leaf: Holder
) -> None:
    """Sellers add such a certificate for old clients; new ones do not know the older root any more."""
    older = make("Older Root", days=3650)
    signed = make("Test Root", older, days=1000, key=root.key)
    assert check(tmp_path, root, [leaf, middle, signed]) == []
    assert "no trusted root" in check(tmp_path, make("Another Root"), [leaf, middle, signed])[0]


def test_another_key(tmp_path: Path, root: Holder, middle: Holder, leaf: Holder) -> None:
    found = check(tmp_path, root, [leaf, middle], key_file(tmp_path, middle.key))
    assert len(found) == 1
    assert "does not belong to the certificate of portal.example.com" in found[0]


def test_a_key_that_others_can_read(tmp_path: Path, root: Holder, middle: Holder, leaf: Holder) -> None:
    found = check(tmp_path, root, [leaf, middle], key_file(tmp_path, leaf.key, mode=0o644))
    assert found == [f"{tmp_path}/privkey.pem can be read by others: chmod 600 {tmp_path}/privkey.pem"]


def test_a_key_behind_a_passphrase(tmp_path: Path, root: Holder, middle: Holder, leaf: Holder) -> None:
    locked = key_file(tmp_path, leaf.key, lock=BestAvailableEncryption(b"word"))
    told = check(tmp_path, root, [leaf, middle], locked)[0]
    assert "passphrase" in told
    assert f"openssl pkey -in {locked}" in told


def test_something_that_is_no_key(tmp_path: Path, root: Holder, middle: Holder, leaf: Holder) -> None:
    path = tmp_path / "privkey.pem"
    path.write_text("hello")
    path.chmod(0o600)
    assert "no private key" in check(tmp_path, root, [leaf, middle], path)[0]


def test_no_intermediate(tmp_path: Path, root: Holder, leaf: Holder) -> None:
    missing = (
        "an intermediate is missing: the chain ends at portal.example.com, and Test Intermediate,"
        " which signed it, is no trusted root"
    )
    assert check(tmp_path, root, [leaf]) == [missing]
    assert check(tmp_path, root, [leaf, root]) == [missing]


def test_where_the_missing_one_is(tmp_path: Path, root: Holder, middle: Holder) -> None:
    leaf = make("portal.example.com", middle, names=NAMES, issuer_at="http://ca.example/middle.crt")
    assert check(tmp_path, root, [leaf])[0].endswith("; it is at http://ca.example/middle.crt")


@pytest.mark.parametrize("order", [(0, 2, 1), (1, 0, 2), (2, 1, 0)])
def test_chain_out_of_order(
    tmp_path: Path, root: Holder, middle: Holder, leaf: Holder, order: tuple[int, ...]
) -> None:
    chain = (leaf, middle, root)
    key = key_file(tmp_path, leaf.key)
    found = check(tmp_path, root, [chain[place] for place in order], key)
    assert found == [
        "the chain is in the wrong order; put one behind the other:"
        " portal.example.com, Test Intermediate, Test Root"
    ]


def test_a_stranger_in_the_chain(tmp_path: Path, root: Holder, middle: Holder, leaf: Holder) -> None:
    stranger = make("Other Root")
    assert check(tmp_path, root, [leaf, middle, stranger]) == [
        "Other Root does not belong to the chain: take it out"
    ]


def test_a_root_that_nobody_trusts(tmp_path: Path, root: Holder) -> None:
    other = make("Other Root")
    leaf = make("portal.example.com", other, names=NAMES)
    assert check(tmp_path, root, [leaf, other]) == [
        "the chain ends at Other Root, which signed itself and is no trusted root"
    ]


def test_an_authority_that_only_bears_the_name(tmp_path: Path, root: Holder, leaf: Holder) -> None:
    impostor = make("Test Intermediate", root)
    assert "an intermediate is missing" in check(tmp_path, root, [leaf, impostor])[0]


def test_only_the_intermediate_came(tmp_path: Path, root: Holder, middle: Holder) -> None:
    found = check(tmp_path, root, [middle], names=[])
    assert found == ["Test Intermediate is an authority's certificate, the server's is not there"]


def test_the_key_of_a_renewal_lies_beside(tmp_path: Path, root: Holder, middle: Holder, leaf: Holder) -> None:
    former = key_file(tmp_path, middle.key)
    beside = former.rename(tmp_path / "former.key")
    mine = key_file(tmp_path, leaf.key)
    chain = pem(tmp_path / "fullchain.pem", leaf, middle)
    pair, problems = examine(chain, [beside, mine], pem(tmp_path / "roots.pem", root), NAMES, 14)
    assert problems == []
    assert pair is not None
    assert pair.key == mine


FORMS: dict[str, tuple[Callable[[list[x509.Certificate], Key], bytes], str]] = {
    "p7b": (
        lambda chain, key: pkcs7.serialize_certificates(chain, Encoding.PEM),
        "openssl pkcs7 -print_certs",
    ),
    "p7c": (
        lambda chain, key: pkcs7.serialize_certificates(chain, Encoding.DER),
        "openssl pkcs7 -inform DER -print_certs",
    ),
    "cer": (lambda chain, key: chain[0].public_bytes(Encoding.DER), "openssl x509 -inform DER"),
    "pfx": (
        lambda chain, key: pkcs12.serialize_key_and_certificates(
            b"portal", key, chain[0], chain[1:], BestAvailableEncryption(b"word")
        ),
        "openssl pkcs12 -in",
    ),
}


@pytest.mark.parametrize("suffix", FORMS)
def test_forms_that_sellers_send(
    tmp_path: Path, root: Holder, middle: Holder, leaf: Holder, suffix: str
) -> None:
    make_form, command = FORMS[suffix]
    sent = tmp_path / f"portal.{suffix}"
    sent.write_bytes(make_form([leaf.certificate, middle.certificate], leaf.key))
    found = judge(tmp_path, root, sent, key_file(tmp_path, leaf.key))
    assert len(found) == 1
    assert command in found[0]


@pytest.mark.parametrize("suffix", ["p7b", "p7c", "cer"])
def test_the_command_that_is_named_makes_pem(
    tmp_path: Path, root: Holder, middle: Holder, leaf: Holder, suffix: str
) -> None:
    make_form, _ = FORMS[suffix]
    sent = tmp_path / f"portal.{suffix}"
    chain = [leaf.certificate, middle.certificate]
    sent.write_bytes(make_form(chain, leaf.key))
    told = judge(tmp_path, root, sent, key_file(tmp_path, leaf.key))[0]
    command = re.search(r"openssl .*?(?= makes PEM)", told)
    assert command is not None
    subprocess.run(shlex.split(command[0]), check=True, capture_output=True)
    made = x509.load_pem_x509_certificates((tmp_path / "portal.pem").read_bytes())
    # PKCS#7 knows no order; the next check names the right one.
    assert set(made) == set(chain[:1] if suffix == "cer" else chain)


def test_what_windows_and_openssl_add_does_not_matter(
    tmp_path: Path, root: Holder, middle: Holder, leaf: Holder
) -> None:
    path = pem(tmp_path / "fullchain.pem", leaf, middle)
    text = "\ufeffBag Attributes\nsubject=CN = portal\n" + path.read_text()
    path.write_bytes(text.replace("\n", "\r\n").encode())
    assert judge(tmp_path, root, path, key_file(tmp_path, leaf.key)) == []


def test_a_key_among_the_certificates(tmp_path: Path, root: Holder, middle: Holder, leaf: Holder) -> None:
    key = key_file(tmp_path, leaf.key)
    path = pem(tmp_path / "fullchain.pem", leaf, middle)
    path.write_bytes(path.read_bytes() + key.read_bytes())
    assert "holds a private key too" in judge(tmp_path, root, path, key)[0]


@pytest.mark.parametrize("content", [b"", b"<html>", b"\x30\x82\x00", b"-----BEGIN CERTIFICATE-----\nAA"])
def test_something_that_is_no_certificate(tmp_path: Path, root: Holder, leaf: Holder, content: bytes) -> None:
    path = tmp_path / "fullchain.pem"
    path.write_bytes(content)
    assert judge(tmp_path, root, path, key_file(tmp_path, leaf.key)) == [
        f"{path} holds no certificate in PEM form"
    ]


def test_a_damaged_certificate(tmp_path: Path, root: Holder, leaf: Holder) -> None:
    path = pem(tmp_path / "fullchain.pem", leaf)
    path.write_bytes(path.read_bytes().replace(b"MII", b"MIJ", 1))
    assert "holds a damaged certificate" in judge(tmp_path, root, path, key_file(tmp_path, leaf.key))[0]


def test_files_that_are_not_there(tmp_path: Path, root: Holder, middle: Holder, leaf: Holder) -> None:
    gone = tmp_path / "gone"
    assert "cannot be read: No such file" in check(tmp_path, root, [leaf, middle], gone)[0]
    assert "cannot be read: No such file" in judge(tmp_path, root, gone, key_file(tmp_path, leaf.key))[0]


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
