"""Channels of the push server: signed ids and message framing (portal_runtime E3, E6)."""

from __future__ import annotations

import hmac
import json
import re
import secrets

_FRAME = re.compile(r"#!NGINXNMS!#(.*?)#!NGINXNME!#", re.DOTALL)


def new_channel_id() -> str:
    """A channel id: 32 hexadecimal digits."""
    return secrets.token_hex(16)


def sign(channel_id: str, key: str) -> str:
    """Channel id with its HMAC-SHA1 signature in hex, as a subscriber presents it."""
    signature = hmac.new(key.encode(), channel_id.encode(), "sha1").hexdigest()
    return f"{channel_id}.{signature}"


def messages(text: str) -> list[dict[str, object]]:
    """Messages of one websocket frame, unpacked from their markers."""
    return [json.loads(body) for body in _FRAME.findall(text)]
