"""The optional encryption of a backup: service block, key, decryption (backup_format 4)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.decrepit.ciphers.algorithms import Blowfish
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES

from bxbackup.errors import DamagedError, PasswordError, UsageError

SERVICE_BLOCK = 512
_SIGNATURE = b"Bitrix Encrypted File"
_PROOF = 256
_VERSIONS = frozenset({"1.0", "1.1", "1.2"})


@dataclass(frozen=True)
class ServiceBlock:
    """The plain 512 bytes before an encrypted tar stream.

    :param version: the writer's text; it does not tell the cipher (backup_format 4.4).
    :param proof: the first 256 bytes, encrypted with the archive's key.
    """

    version: str
    random: bytes
    proof: bytes


def read_service_block(head: bytes) -> ServiceBlock | None:
    """The service block at the start of the first volume's uncompressed bytes; None for a plain archive.

    :raises DamagedError: the block is of a version that nobody has described.
    """
    if len(head) < SERVICE_BLOCK or head[100:190].rstrip(b"\0") != _SIGNATURE:
        return None
    version = head[190:200].rstrip(b"\0").decode("ascii", "replace")
    if version not in _VERSIONS:
        raise DamagedError(
            f"the archive says encryption version {version!r}",
            cause=f"known are {', '.join(sorted(_VERSIONS))}",
            advice="the first part is damaged, or the archive was written by a newer product",
        )
    return ServiceBlock(version, head[:_PROOF], head[_PROOF:SERVICE_BLOCK])


@dataclass(frozen=True)
class Decryption:
    """A cipher and key that were proved right.

    :param name: as users know it, `AES-256-ECB` or `Blowfish-ECB`.
    """

    name: str
    _context: Callable[[], CipherContext]

    def decryptor(self) -> Callable[[bytes], bytes]:
        """A function from encrypted to plain bytes. Pieces may have any length; whole blocks come out."""
        update: Callable[[bytes], bytes] = self._context().update
        return update


def unlock(block: ServiceBlock, password: str) -> Decryption:
    """Find the cipher for which the password is right: AES first, then Blowfish (backup_format 4.4).

    :raises PasswordError: it is right for none.
    """
    # The format derives the key with MD5; that is its weakness, not a choice made here.
    key = hashlib.md5(password.encode(), usedforsecurity=False).hexdigest().encode("ascii")
    for name, algorithm in (("AES-256-ECB", AES(key)), ("Blowfish-ECB", Blowfish(key))):
        cipher = Cipher(algorithm, modes.ECB())  # noqa: S305
        if cipher.encryptor().update(block.random) == block.proof:
            return Decryption(name, cipher.decryptor)
    raise PasswordError(
        "the password does not open this backup",
        cause="it fits neither AES-256 nor Blowfish; case and spaces matter",
        advice="give the right one with --password-file",
    )


def read_password(path: Path) -> str:
    """The password from a file: its first line, without the line end; UTF-8.

    :raises UsageError: the file cannot be read or is empty.
    """
    try:
        with path.open("rb") as file:
            text = file.read(4096).decode().split("\n", 1)[0].removesuffix("\r")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the password file {path}", cause=str(error)) from error
    if not text:
        raise UsageError(f"the password file {path} is empty")
    return text


def password_needed(part: str) -> PasswordError:
    """The error for an encrypted backup that came without a password; `part` is its first volume."""
    return PasswordError(f"{part} is encrypted", advice="give its password with --password-file", part=part)
