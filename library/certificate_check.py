#!/usr/bin/python
"""Ansible module: is this certificate one that can be put into service."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.hazmat.primitives.hashes import MD5, SHA1, SHA256
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
except ImportError as error:
    IMPORT_ERROR: ImportError | None = error
else:
    IMPORT_ERROR = None

DOCUMENTATION = """
---
module: certificate_check
short_description: Check a certificate, its chain and its key before anything is touched
description:
  - Runs on the control node, where the files are. Reports every problem at once, one sentence each.
author: The boxlift authors
options:
  certificate:
    description: PEM file with the certificate and then its chain.
    type: path
    required: true
  key:
    description: PEM file with the key.
    type: path
    required: true
  roots:
    description: PEM file with the roots that the chain must end at. Empty for those the control node trusts.
    type: str
    default: ""
  names:
    description: Host names that the certificate must cover.
    type: list
    elements: str
    required: true
  minimum_days:
    description: The certificate must be good for at least so many days.
    type: int
    default: 14
"""

EXAMPLES = """
- name: Check the certificate that was bought
  certificate_check:
    certificate: certificates/fullchain.pem
    key: certificates/privkey.pem
    names: [portal.example.com, pbx.example.com]
  delegate_to: localhost
"""

RETURN = """
problems:
  description: What is wrong, one sentence each.
  returned: failure
  type: list
names:
  description: The names that the certificate covers.
  returned: success
  type: list
not_after:
  description: End of the certificate, ISO 8601, UTC.
  returned: success
  type: str
days_left:
  description: Whole days until then.
  returned: success
  type: int
fingerprint:
  description: SHA-256 of the certificate, hex.
  returned: success
  type: str
"""

SMALLEST_RSA = 2048
SMALLEST_CURVE = 256
PREFLIGHT_REFUSED = 3


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


def issued(child: x509.Certificate, parent: x509.Certificate) -> bool:
    """Whether the parent's key signed the child."""
    try:
        child.verify_directly_issued_by(parent)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


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
    if isinstance(certificate.signature_hash_algorithm, (MD5, SHA1)):
        found.append(f"{who} is signed with {certificate.signature_hash_algorithm.name.upper()}")
    return found


def chain_problems(chain: Sequence[x509.Certificate], roots: Iterable[x509.Certificate]) -> list[str]:
    """Whether each certificate is signed by the next and the last by a root."""
    for child, parent in pairwise(chain):
        if not issued(child, parent):
            return [
                f"the chain is out of order or incomplete: {common_name(child.subject)} is signed by "
                f"{common_name(child.issuer)}, but {common_name(parent.subject)} follows"
            ]
    last = chain[-1]
    for root in roots:
        if root == last or (root.subject == last.issuer and issued(last, root)):
            return []
    return [
        f"the chain ends at {common_name(last.issuer)}, which is no trusted root: an intermediate is missing"
    ]


def date_problems(chain: Sequence[x509.Certificate], now: datetime, minimum_days: int) -> list[str]:
    """Certificates that are not yet, no longer or not much longer good."""
    found = []
    for certificate in chain:
        who = common_name(certificate.subject)
        if certificate.not_valid_before_utc > now:
            found.append(f"{who} is good only from {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC on")
        if certificate.not_valid_after_utc < now:
            found.append(f"{who} ended on {certificate.not_valid_after_utc:%Y-%m-%d}")
        elif certificate.not_valid_after_utc < now + timedelta(days=minimum_days):
            found.append(
                f"{who} ends on {certificate.not_valid_after_utc:%Y-%m-%d}, in less than {minimum_days} days"
            )
    return found


def purpose_problems(certificate: x509.Certificate) -> list[str]:
    """A certificate that may not speak for a server."""
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return []
    if ExtendedKeyUsageOID.SERVER_AUTH in usage:
        return []
    return [f"{common_name(certificate.subject)} is not made for servers (extended key usage)"]


def key_problems(certificate: x509.Certificate, path: Path) -> list[str]:
    """A key that others can read, that cannot be read, or that belongs to another certificate."""
    found = []
    if path.stat().st_mode & 0o077:
        found.append(f"{path} can be read by others: chmod 600 {path}")
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except TypeError:
        return [*found, f"{path} is protected by a passphrase; services start without anyone to type it"]
    except ValueError:
        return [*found, f"{path} holds no private key in PEM form"]
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if key.public_key().public_bytes(*form) != certificate.public_key().public_bytes(*form):
        found.append(
            f"the key {path} does not belong to the certificate of {common_name(certificate.subject)}"
        )
    return found


def problems_of(
    chain: Sequence[x509.Certificate],
    roots: Iterable[x509.Certificate],
    key: Path,
    names: Iterable[str],
    minimum_days: int,
) -> list[str]:
    """All that speaks against the certificate."""
    patterns = covered_names(chain[0])
    found = key_problems(chain[0], key)
    found += [
        f"the certificate does not cover {name}; it covers {', '.join(patterns) or 'no name at all'}"
        for name in names
        if not any(covers(pattern, name.lower()) for pattern in patterns)
    ]
    found += date_problems(chain, datetime.now(UTC), minimum_days)
    found += purpose_problems(chain[0])
    found += chain_problems(chain, roots)
    for certificate in chain:
        found += weaknesses(certificate)
    return found


def load(module: AnsibleModule, path: Path) -> list[x509.Certificate]:
    """Certificates of a PEM file, in its order."""
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except OSError as error:
        refuse(module, [f"{path} cannot be read: {error.strerror}"])
    except ValueError:
        refuse(module, [f"{path} holds no certificate in PEM form"])
    return []


def refuse(module: AnsibleModule, problems: Sequence[str]) -> None:
    """Stop with every problem found."""
    module.fail_json(
        msg="the certificate cannot be put into service: " + "; ".join(problems),
        problems=list(problems),
        boxlift_exit=PREFLIGHT_REFUSED,
    )


def main() -> None:
    """Entry point of the module."""
    arguments: dict[str, dict[str, Any]] = {
        "certificate": {"type": "path", "required": True},
        "key": {"type": "path", "required": True, "no_log": False},
        "roots": {"type": "str", "default": ""},
        "names": {"type": "list", "elements": "str", "required": True},
        "minimum_days": {"type": "int", "default": 14},
    }
    module = AnsibleModule(argument_spec=arguments, supports_check_mode=True)
    if IMPORT_ERROR is not None:
        module.fail_json(msg=f"the control node's Python lacks the package cryptography: {IMPORT_ERROR}")
    roots_file = module.params["roots"] or ssl.get_default_verify_paths().openssl_cafile
    chain = load(module, Path(module.params["certificate"]))
    roots = load(module, Path(roots_file))
    key = Path(module.params["key"])
    if not key.is_file():
        refuse(module, [f"{key} is not there"])
    problems = problems_of(chain, roots, key, module.params["names"], module.params["minimum_days"])
    if problems:
        refuse(module, problems)
    leaf = chain[0]
    module.exit_json(
        changed=False,
        names=covered_names(leaf),
        not_after=leaf.not_valid_after_utc.isoformat(),
        days_left=(leaf.not_valid_after_utc - datetime.now(UTC)).days,
        fingerprint=leaf.fingerprint(SHA256()).hex(),
    )


if __name__ == "__main__":
    main()
