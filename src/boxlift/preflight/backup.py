"""Checks of what the operator said about backups: private files, links that have not run out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

from boxlift.errors import PreflightError
from boxlift.figures import duration
from boxlift.plan import Pass
from boxlift.preflight.finding import Finding
from boxlift.project import Project

_NAMED = "named, readable by you alone"
_LEAST = 3600.0
"""Seconds that a link must still be good for: fetching begins with it, and goes on with a new one."""


def check_backups(project: Project, now: float | None = None) -> Iterator[Finding]:
    """One finding for each pass whose backup was named."""
    for pass_ in Pass:
        if not (project.root / "backup" / f"{pass_}.txt").exists():
            continue
        subject = f"{pass_}'s backup"
        try:
            sources = project.backup(pass_).sources
        except PreflightError as error:
            yield Finding(
                "source", subject, ok=False, measured=error.message, limit="", cure=error.cure or ""
            )
            continue
        named = "1 part or link" if len(sources) == 1 else f"{len(sources)} links"
        yield Finding("source", subject, ok=True, measured=named, limit=_NAMED)
        ends = [end for source in sources if (end := expiry(source)) is not None]
        if ends:
            left = min(ends) - (time.time() if now is None else now)
            measured = f"good for {duration(left)}" if left > 0 else f"ran out {duration(-left)} ago"
            limit = f"at least {duration(_LEAST)}"
            cure = f"ask for a new link and put it into backup/{pass_}.txt; what was fetched stays"
            yield Finding("link", subject, left >= _LEAST, measured, limit, cure)


def expiry(source: str) -> float | None:
    """When a presigned link ends, in seconds since 1970; None where it does not say.

    S3's signature version 4 names its beginning and its length, version 2 its end.
    """
    query = parse_qs(urlsplit(source).query)
    try:
        if "X-Amz-Date" in query and "X-Amz-Expires" in query:
            begun = datetime.strptime(query["X-Amz-Date"][0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            return begun.timestamp() + int(query["X-Amz-Expires"][0])
        if "Expires" in query and "Signature" in query:
            return float(int(query["Expires"][0]))
    except ValueError:
        return None
    return None
