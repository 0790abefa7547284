"""Encryption of an archive: key, service block, block cipher without padding (backup_format 4)."""

import hashlib

from cryptography.hazmat.decrepit.ciphers.algorithms import Blowfish
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

from lab.writer.tar import BLOCK

CHECK_BYTES = 256
NOTE = b"Bitrix Encrypted File"
VERSIONS = {"aes": b"1.2", "blowfish": b"1.1"}


def archive_key(password: str) -> bytes:
    """32 bytes: the hex digits of the password's MD5 (backup_format 4.3)."""
    return hashlib.md5(password.encode(), usedforsecurity=False).hexdigest().encode()


class BlockCipher:
    """AES-256-ECB or Blowfish-ECB with the archive's key (backup_format 4.4)."""

    def __init__(self, password: str, cipher: str) -> None:
        key = archive_key(password)
        algorithm = AES(key) if cipher == "aes" else Blowfish(key)
        self._version = VERSIONS[cipher]
        self._context: CipherContext = Cipher(algorithm, ECB()).encryptor()

    def encode(self, plain: bytes) -> bytes:
        """Encrypt whole blocks; ECB needs no state between calls (backup_format 4.5)."""
        return self._context.update(plain)

    def service_block(self, token: str) -> bytes:
        """The 512 plain bytes before the first encrypted one; `token` is the block's random text (4.2)."""
        front = token.encode().ljust(100, b"\0") + NOTE.ljust(90, b"\0") + self._version.ljust(10, b"\0")
        front = front.ljust(BLOCK - CHECK_BYTES, b"\0")
        return front + self.encode(front)
