"""Links that open one object for a while, as an object store presigns them.

The signature covers the method GET, so that HEAD is refused as the stores refuse it.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Mapping
from urllib.parse import quote, urlencode

EXPIRED = "Request has expired"
WRONG = "SignatureDoesNotMatch"
ABSENT = "AccessDenied"


def sign(base: str, key: str, secret: str, lifetime: float, now: float | None = None) -> str:
    """A link to the object `key` below `base`, good for `lifetime` seconds."""
    expires = int((time.time() if now is None else now) + lifetime)
    query = urlencode({"expires": expires, "signature": _signature(key, expires, secret)})
    return f"{base.rstrip('/')}/{quote(key)}?{query}"


def refusal(method: str, key: str, query: Mapping[str, str], secret: str) -> str | None:
    """Why a request is refused with 403; None lets it pass."""
    if "signature" not in query or not query.get("expires", "").isdigit():
        return ABSENT
    expires = int(query["expires"])
    if method != "GET" or not hmac.compare_digest(query["signature"], _signature(key, expires, secret)):
        return WRONG
    return EXPIRED if time.time() > expires else None


def _signature(key: str, expires: int, secret: str) -> str:
    return hmac.new(secret.encode(), f"GET\n{key}\n{expires}".encode(), hashlib.sha256).hexdigest()
