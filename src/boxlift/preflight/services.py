"""Checks of what a move needs besides hosts: backup, packages, certificate, licence key, mail, names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from boxlift.figures import count, size
from boxlift.preflight.finding import Finding
from boxlift.preflight.inventory import Inventory
from boxlift.preflight.look import Seen
from boxlift.preflight.names import Names, check_mail_names, check_names, public
from boxlift.wheels import Stock, state
from bxbackup.volume import read_marks

_SOON = 30
"""Days: a certificate that ends earlier may end before the old one would have been missed."""
_LATER = "no later than step deploy-certificate"


def check_services(inventory: Inventory, seen: Mapping[str, Seen]) -> Iterator[Finding]:
    """Judge what production's portal hosts have seen, and what the DNS says."""
    for host in inventory.hosts("portal"):
        here = seen.get(host, Seen())
        if here.meaning is None:
            continue
        production = host in inventory.groups.get("production", ())
        if here.mail is not None:
            yield _mail_server(host, here.mail)
        if production:
            yield from check_links(host, here.links, here.room)
            yield from _packages(here.meaning)
            yield _wheels(here.meaning)
            yield _license_key(here.meaning)
            yield _monitoring(here.meaning)
        if (found := _certificate(host, here)) is not None:
            yield found
    yield from _names(inventory, seen)


def check_links(host: str, links: Mapping[str, Mapping[str, Any]], room: int) -> Iterator[Finding]:
    """Whether the backup can be fetched from here, and held.

    :param room: bytes free where releases and parts will lie.
    """
    for pass_, answer in links.items():
        subject = f"{pass_}'s backup"
        if (error := answer.get("error")) is not None:
            cure = f"ask for a new link and put it into backup/{pass_}.txt, or let {host} reach the server"
            yield Finding("fetch", subject, False, str(error), f"its first bytes, from {host}", cure)
            continue
        marks = read_marks(bytes.fromhex(str(answer["head"])))
        first = int(answer.get("size") or 0)
        yield Finding(
            "fetch", subject, True, f"first part of {size(first)}" if first else "answers", f"from {host}"
        )
        if marks.size is None or marks.last is None:
            continue
        # backup_format 3.2: every part but the last is as large as the first
        parts = marks.last + 1
        needed = parts * (marks.size + first)
        measured = (
            f"{size(room)} free for {count(parts, 'part')} of {size(first)}, {size(marks.size)} unpacked"
        )
        limit = f"at least {size(needed)}, and the database on top"
        yield Finding("disk for the backup", host, room >= needed, measured, limit, "give /srv more disk")


def backup_bytes(answer: Mapping[str, Any]) -> int | None:
    """About how large a backup is, from what its first part says; None where it says nothing.

    Every part but the last is as large as the first (backup_format 3.2); the last is taken for half of it.
    """
    first = int(answer.get("size") or 0)
    last = read_marks(bytes.fromhex(str(answer.get("head") or ""))).last
    if not first or last is None:
        return None
    return first * last + (first // 2 if last else first)


def _packages(meaning: Mapping[str, Any]) -> Iterator[Finding]:
    lacking = sorted(name for name, there in meaning["packages"].items() if not there)
    yield Finding(
        "packages",
        "project",
        not lacking,
        f"no file for {', '.join(lacking)}" if lacking else "there, or fetched from a URL",
        "the portal's distribution and the push server's",
        "put the files where inventory/group_vars/all names them, or name others there; docs/migrate.md says"
        " where they come from",
    )


def _wheels(meaning: Mapping[str, Any]) -> Finding:
    """What the restore carries to its host: without it the first restore ends before its first byte."""
    folder = Path(meaning["wheels"]).resolve()
    found = state(folder) if meaning["wheels"] else Stock.ABSENT
    return Finding(
        "wheels",
        "control node",
        found is Stock.READY,
        f"{found.value} in {folder}" if meaning["wheels"] else "portal_wheels names no folder",
        "bxbackup of this boxlift and what it needs",
        "boxlift wheels",
        warning=found is Stock.OTHER,
    )


def _license_key(meaning: Mapping[str, Any]) -> Finding:
    """The wizard's own form of a key (portal_runtime C, [H]); whether it is valid only the vendor knows."""
    given = meaning["license_key"]
    told = {
        "right": "given, of the right form",
        "wrong": "given, of another form",
        "none": "none: the backup's stays, and without one the box is a trial",
    }
    return Finding(
        "licence key",
        "project",
        given == "right",
        told[given],
        "as the vendor wrote it: XXX-XX-XXXXXXXXXXXX...",
        "set portal_license_key; in a vault file if others read the project",
        warning=given == "none",
    )


def _monitoring(meaning: Mapping[str, Any]) -> Finding:
    """Whether anybody hears of it when the open portal goes wrong; targets may be credentials."""
    told = int(meaning["told"])
    return Finding(
        "monitoring",
        "project",
        told > 0,
        f"{count(told, 'target')} told" if told else "nobody is told",
        "somebody who is told when the open portal goes wrong",
        "name mail addresses or webhooks in monitoring_tell; docs/monitoring.md",
        warning=True,
    )


def _certificate(host: str, seen: Seen) -> Finding | None:
    """A certificate that was bought is checked before it is needed; one that is awaited may come later."""
    source = (seen.meaning or {}).get("certificate")
    if source == "awaited":
        return Finding(
            "certificate",
            host,
            False,
            "not there yet",
            _LATER,
            "put certificate, chain and key where certificate_file and certificate_key_file say",
            warning=True,
        )
    if isinstance(seen.certificate, int):
        days = seen.certificate
        cure = "renew it before the move"
        return Finding(
            "certificate",
            host,
            days >= _SOON,
            f"sound, good for {count(days, 'day')}",
            f"at least {_SOON} days",
            cure,
            warning=True,
        )
    if seen.certificate:
        return Finding(
            "certificate",
            host,
            False,
            "; ".join(seen.certificate),
            "key, chain, names, dates, algorithm",
            "correct the files, or ask the seller for what is missing",
        )
    return None


def _mail_server(host: str, answer: Mapping[str, Any]) -> Finding:
    where = f"{answer['host']} port {answer['port']}"
    greeting = str(answer.get("greeting", ""))
    ok = bool(answer["answers"]) and greeting.startswith("220")
    measured = greeting or str(answer.get("error", "no answer"))
    cure = f"let {host} reach {where}, or name another mail_relay_host"
    return Finding("mail server", host, ok, f"{where}: {measured}", "a greeting with code 220", cure)


def _names(inventory: Inventory, seen: Mapping[str, Seen]) -> Iterator[Finding]:
    wanted: dict[str, Sequence[str]] = {}
    told: Mapping[str, Any] | None = None
    for environment in ("production", "preproduction"):
        for host in inventory.hosts(environment, "portal"):
            meaning = seen.get(host, Seen()).meaning
            if meaning is None:
                continue
            address = meaning["public_address"] if environment == "production" else ""
            address = address or str(inventory.variables[host].get("ansible_host", ""))
            wanted.setdefault(meaning["domain"], [address] if _known(meaning, address) else [])
            if environment == "production":
                told = meaning
    for host in inventory.hosts("telephony"):
        meaning = seen.get(host, Seen()).meaning
        if meaning is not None and meaning["telephony_domain"]:
            address = str(inventory.variables[host].get("ansible_host", ""))
            wanted.setdefault(meaning["telephony_domain"], [address] if _known(meaning, address) else [])
    if told is None:
        return
    names = Names(told["dns_servers"])
    yield from check_names(names, {name: addresses for name, addresses in wanted.items() if name})
    if told["mail_mode"] == "relay" and told["mail_domain"]:
        address = told["public_address"]
        yield from check_mail_names(names, told["mail_domain"], told["mail_selectors"], address or None)


def _known(meaning: Mapping[str, Any], address: str) -> bool:
    """Whether users would see this address: it is public, or the project asks name servers of its own."""
    return bool(address) and (public(address) or bool(meaning["dns_servers"]))
