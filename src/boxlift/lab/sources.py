"""The machine's own Debian package sources, as an image of any Debian release can use them."""

from __future__ import annotations

import os
import re
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from boxlift.lab.command import attempt, run
from boxlift.lab.errors import LabError

_ARCHIVE = "BOXLIFT_LAB_ARCHIVE"
"""Variable that names a mirror of old Debian releases."""
_FIELDS = "$(ORIGIN)|$(REPO_URI)|$(RELEASE)|$(CODENAME)|$(COMPONENT)"
_KEPT = re.compile(
    r'(?P<option>Acquire::(?:https?::|Check-Valid-Until|Check-Date|Retries|Force)[^ ]* "[^"]+");'
)
_HELPER = "/usr/lib/apt/apt-helper"
_PROXIES = (("http_proxy", "Acquire::http::Proxy"), ("https_proxy", "Acquire::https::Proxy"))


@dataclass(frozen=True)
class Sources:
    """Lines of a sources.list for one release, and the options of apt that reaching them needs."""

    lines: tuple[str, ...]
    options: tuple[str, ...]


def codename(text: str | None = None) -> str:
    """This machine's Debian release (bookworm, trixie); any other system is refused."""
    text = Path("/etc/os-release").read_text(encoding="utf-8") if text is None else text
    values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    if values.get("ID", "").strip('"') != "debian":
        name = values.get("PRETTY_NAME", "something else").strip('"')
        raise LabError(
            f"the lab builds its hosts from Debian's packages and needs Debian 12 or 13: this is {name}"
        )
    return values.get("VERSION_CODENAME", "").strip('"')


def debian_sources(listing: str, machine: str, suite: str) -> tuple[str, ...]:
    """Source lines for `suite` from what `apt-get indextargets` lists on a machine of the release `machine`.

    Only Debian's own archive counts: whatever else the machine installs from stays out of the lab's hosts.
    """
    lines: list[str] = []
    for row in listing.splitlines():
        origin, uri, release, name, component = row.split("|")
        known = origin == "Debian" or (origin in ("", "$(ORIGIN)") and "/debian" in uri)
        pocket = release.removeprefix(machine) if release.startswith(machine) else name.removeprefix(machine)
        if not known or component != "main" or pocket not in ("", "-updates", "-security"):
            continue
        line = f"deb {uri} {suite}{pocket} main"
        if line not in lines:
            lines.append(line)
    return tuple(lines)


def apt_options(dump: str, environment: dict[str, str]) -> tuple[str, ...]:
    """The machine's ways to reach an archive (proxy, certificates, dates), without the closing semicolon."""
    found = [match["option"] for match in map(_KEPT.fullmatch, dump.splitlines()) if match]
    for variable, option in _PROXIES:
        value = environment.get(variable) or environment.get(variable.upper())
        if value and not any(line.startswith(f"{option} ") for line in found):
            found.append(f'{option} "{value}"')
    return tuple(found)


@cache
def for_suite(suite: str) -> Sources:
    """The sources of this machine, turned to `suite`."""
    machine = codename()
    listing = run(["apt-get", "indextargets", "--format", _FIELDS, "Created-By: Packages"])
    lines = debian_sources(listing, machine, suite)
    if not lines:
        raise LabError(
            "this machine lists no package source of Debian's own: add a Debian mirror to "
            "/etc/apt/sources.list and run `apt-get update`"
        )
    return Sources(lines, apt_options(run(["apt-config", "dump"]), dict(os.environ)))


def reachable(lines: tuple[str, ...], suite: str) -> tuple[str, ...]:
    """`lines` as they are, or the mirror of old releases that the operator names where `suite` is gone."""
    uri = next((line.split()[1] for line in lines if line.split()[2] == suite), lines[0].split()[1])
    address = f"{uri.rstrip('/')}/dists/{suite}/InRelease"
    with tempfile.TemporaryDirectory() as folder:
        done = attempt([_HELPER, "download-file", address, f"{folder}/InRelease"], timeout=120)
    if done.returncode == 0:
        return lines
    said = done.stdout + done.stderr
    if " 404 " in said:
        archive = os.environ.get(_ARCHIVE)
        if archive is None:
            raise LabError(
                f"this machine's mirror carries {suite} no longer ({address}): name a mirror of old Debian "
                f"releases, {_ARCHIVE}=URL, and run the same command again"
            )
        return (f"deb {archive} {suite} main",)
    reason = next((line.strip() for line in said.splitlines() if line.startswith("E:")), "no reason given")
    raise LabError(
        f"Debian's package archive cannot be reached ({address}): {reason.removeprefix('E: ')}; "
        "check this machine's network and run the same command again"
    )
