#!/usr/bin/python
"""Ansible module: does a backup's source still give its first bytes to this host."""

from __future__ import annotations

import os
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urljoin, urlsplit

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.urls import open_url

DOCUMENTATION = """
---
module: backup_link
short_description: See whether a backup's source still gives its first bytes
description:
  - Asks each source for its first 64 bytes from the host that will fetch the backup. Certificates count.
  - A source that refuses is a result, not a failure. Nothing is kept, and no link is returned.
author: The boxlift authors
options:
  sources:
    description: >-
      By name, the URL, or the path on the host, of a backup's first part. A presigned URL is a credential.
    type: dict
    required: true
  timeout:
    description: Seconds for each source.
    type: int
    default: 15
"""

EXAMPLES = """
- name: Look at the rehearsal's backup
  backup_link:
    sources: {rehearsal: "{{ link }}"}
"""

RETURN = """
backup_links:
  description: One answer for each name.
  returned: success
  type: dict
  contains:
    size: {description: Bytes of the part. Absent where the server does not say., type: int}
    head: {description: "Its first bytes, hex.", type: str}
    error: {description: Why there are none., type: str}
"""

FIRST = 64
PARTIAL = 206
REDIRECTS = {301, 302, 303, 307, 308}
MOST_REDIRECTS = 5


class RefusedError(Exception):
    """Why a link gives nothing."""


def of_file(path: Path) -> dict[str, Any]:
    """A part on this host."""
    try:
        with path.open("rb") as file:
            return {"head": file.read(FIRST).hex(), "size": os.fstat(file.fileno()).st_size}
    except OSError as error:
        return {"error": error.strerror or str(error)}


def redirected(url: str, location: str | None) -> str:
    """Where a redirect leads; never from https to http, as the link is a credential."""
    target = urljoin(url, location or "")
    if not location or urlsplit(target).scheme not in {"https", urlsplit(url).scheme}:
        raise RefusedError("the server redirects to a place without TLS, or to nowhere")
    return target


def of_url(url: str, timeout: float) -> dict[str, Any]:
    """A part behind a link."""
    for _ in range(MOST_REDIRECTS):
        try:
            with open_url(
                url, headers={"Range": f"bytes=0-{FIRST - 1}"}, timeout=timeout, follow_redirects="none"
            ) as answer:
                head = answer.read(FIRST)
                told = answer.headers.get("Content-Length", "")
                if answer.status == PARTIAL:
                    told = answer.headers.get("Content-Range", "").rpartition("/")[2]
                return {"head": head.hex()} | ({"size": int(told)} if told.isdigit() else {})
        except HTTPError as error:
            if error.code not in REDIRECTS:
                raise RefusedError(f"the server answers {error.code} {error.reason}") from error
            url = redirected(url, error.headers.get("Location"))
        except URLError as error:
            raise RefusedError(str(getattr(error.reason, "strerror", None) or error.reason)) from error
    raise RefusedError("the server redirects without end")


def look(source: str, timeout: float) -> dict[str, Any]:
    """What a source gives, or why it gives nothing; never the link itself."""
    if urlsplit(source).scheme not in {"http", "https"}:
        return of_file(Path(source))
    try:
        return of_url(source, timeout)
    except RefusedError as error:
        return {"error": str(error)}
    except (OSError, ValueError, HTTPException) as error:
        return {"error": f"no sound answer ({type(error).__name__})"}


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "sources": {"type": "dict", "required": True, "no_log": True},
            "timeout": {"type": "int", "default": 15},
        },
        supports_check_mode=True,
    )
    timeout = module.params["timeout"]
    found = {name: look(str(source), timeout) for name, source in module.params["sources"].items()}
    module.exit_json(changed=False, backup_links=found)


if __name__ == "__main__":
    main()
