"""Contents of generated files: repeatable from a key, made in chunks, never held as a whole."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

CHUNK = 1 << 20
_ZEROS = bytes(CHUNK)
MAGIC = {
    "jpg": b"\xff\xd8\xff\xe0\x00\x10JFIF\x00",
    "png": b"\x89PNG\r\n\x1a\n",
    "pdf": b"%PDF-1.7\n",
    "docx": b"PK\x03\x04\x14\x00\x06\x00",
    "xlsx": b"PK\x03\x04\x14\x00\x06\x00",
    "zip": b"PK\x03\x04\x14\x00\x00\x00",
    "mp3": b"ID3\x04\x00\x00",
    "mp4": b"\x00\x00\x00\x18ftypmp42",
}


@dataclass(frozen=True, slots=True)
class Noise:
    """Incompressible bytes, as photographs are: an AES-CTR keystream after the type's magic."""

    key: str
    size: int
    magic: bytes = b""

    def chunks(self) -> Iterator[bytes]:
        """The content."""
        digest = hashlib.sha256(self.key.encode()).digest()
        keystream = Cipher(AES(digest), CTR(digest[:16])).encryptor()
        head = self.magic[: self.size]
        if head:
            yield head
        left = self.size - len(head)
        while left > 0:
            piece = keystream.update(_ZEROS[: min(CHUNK, left)])
            left -= len(piece)
            yield piece


@dataclass(frozen=True, slots=True)
class Literal:
    """Given bytes."""

    data: bytes

    @property
    def size(self) -> int:
        """Length in bytes."""
        return len(self.data)

    def chunks(self) -> Iterator[bytes]:
        """The content."""
        yield self.data


@dataclass(frozen=True, slots=True)
class Repeated:
    """A text repeated up to a size: compresses well, as letters and logs do."""

    text: bytes
    size: int

    def chunks(self) -> Iterator[bytes]:
        """The content."""
        block = self.text * max(1, CHUNK // max(1, len(self.text)))
        left = self.size
        while left > 0:
            piece = block[:left]
            left -= len(piece)
            yield piece


Content = Noise | Literal | Repeated


def md5(content: Content) -> str:
    """MD5 of a content, as b_file_hash keeps it (backup_format 8)."""
    digest = hashlib.md5(usedforsecurity=False)
    for chunk in content.chunks():
        digest.update(chunk)
    return digest.hexdigest()
