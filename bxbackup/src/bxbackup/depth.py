"""How closely uploads are compared with what the database says of them."""

from __future__ import annotations

from enum import StrEnum


class Depth(StrEnum):
    """How closely to look."""

    HASHES = "hashes"
    SIZES = "sizes"
    NOTHING = "nothing"
