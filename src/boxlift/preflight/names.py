"""Checks of the world's DNS: names that users will use, and what other mail servers ask of a sender.

SPF is RFC 7208, DKIM's key RFC 6376, DMARC RFC 7489; a name for the sending address RFC 1912.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

import dns.exception
import dns.rdatatype
import dns.resolver
import dns.reversename
from dns.rdtypes.ANY.TXT import TXT

from boxlift.figures import HOUR, duration
from boxlift.preflight.finding import Finding

_PATIENCE = 5.0
"""Seconds for each question."""
_SHORT = HOUR
"""Seconds: for as long as others keep a name, its users go to the old address after the switch."""


@dataclass(frozen=True)
class Answer:
    """What the DNS says to one question. `ttl` in seconds; `silent`: no server has answered."""

    texts: tuple[str, ...] = ()
    ttl: int = 0
    silent: bool = False


class Names:
    """Asks name servers; the control node's where none is given. Who is silent once is asked no more."""

    def __init__(self, servers: Sequence[str] = (), port: int = 53, *, patience: float = _PATIENCE) -> None:
        self._resolver = dns.resolver.Resolver(configure=False)
        self._resolver.lifetime = patience
        self._silent = False
        if servers:
            self._resolver.nameservers = list(servers)
            self._resolver.port = port
            return
        try:
            self._resolver.read_resolv_conf("/etc/resolv.conf")
        except dns.resolver.NoResolverConfiguration:
            self._silent = True

    def addresses(self, name: str) -> Answer:
        """IPv4 and IPv6 addresses."""
        four, six = self._ask(name, "A"), self._ask(name, "AAAA")
        return Answer(four.texts + six.texts, min(filter(None, (four.ttl, six.ttl)), default=0), four.silent)

    def texts(self, name: str) -> Answer:
        """Texts, each with its pieces joined."""
        return self._ask(name, "TXT")

    def name_of(self, address: str) -> Answer:
        """Names of an address."""
        return self._ask(str(dns.reversename.from_address(address)), "PTR")

    def _ask(self, name: str, kind: str) -> Answer:
        if self._silent:
            return Answer(silent=True)
        try:
            found = self._resolver.resolve(name, kind, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return Answer()
        except dns.exception.DNSException:
            self._silent = True
            return Answer(silent=True)
        texts = tuple(
            b"".join(data.strings).decode("utf-8", "replace") if isinstance(data, TXT) else str(data)
            for data in found
        )
        return Answer(tuple(text.rstrip(".") for text in texts), found.rrset.ttl if found.rrset else 0)


def check_names(names: Names, wanted: Mapping[str, Sequence[str]]) -> Iterator[Finding]:
    """Names of the portal, of staging and of telephony.

    :param wanted: each name, and the addresses that it shall have in the end; none where they are not known.
    """
    for name, addresses in wanted.items():
        found = names.addresses(name)
        if found.silent:
            yield _silent(name)
            continue
        measured = f"{', '.join(found.texts)}, kept {duration(found.ttl)}" if found.texts else "no such name"
        limit = f"{', '.join(addresses)} after the switch" if addresses else "an address"
        yield Finding(
            "dns",
            name,
            bool(found.texts),
            measured,
            limit,
            f"enter {name} into the domain's DNS",
            warning=True,
        )
        if found.texts and set(found.texts) != set(addresses):
            cure = f"lower the TTL of {name} a day before the switch"
            yield Finding(
                "dns ttl",
                name,
                found.ttl <= _SHORT,
                duration(found.ttl),
                f"at most {duration(_SHORT)}",
                cure,
                warning=True,
            )


def check_mail_names(
    names: Names, domain: str, selectors: Sequence[str], address: str | None
) -> Iterator[Finding]:
    """What a mail server that gets the portal's mail looks up about its sender.

    :param domain: of the senders' addresses.
    :param selectors: of the DKIM keys that sign its mail; without any none is looked for.
    :param address: public address that mail comes from; None where it is not known.
    """
    spf = names.texts(domain)
    if spf.silent:
        yield _silent(domain)
        return
    yield _one(
        "spf",
        domain,
        [text for text in spf.texts if text.lower().split(" ")[0] == "v=spf1"],
        "one record that names your mail server",
        f"enter a TXT record v=spf1 ... for {domain}",
    )
    policy = f"_dmarc.{domain}"
    told = names.texts(policy)
    if told.silent:
        yield _silent(policy)
        return
    found = [text for text in told.texts if text.lower().startswith("v=dmarc1")]
    yield _one("dmarc", domain, found, "one record", f"enter a TXT record v=DMARC1; p=... for {policy}")
    for selector in selectors:
        key = f"{selector}._domainkey.{domain}"
        told = names.texts(key)
        if told.silent:
            yield _silent(key)
            return
        whole = [text for text in told.texts if "p=" in text.replace(" ", "")]
        yield Finding(
            "dkim",
            domain,
            bool(whole),
            f"{selector}: {'a key' if whole else 'no key'}",
            "a key for each selector",
            f"enter the public key as TXT record {key}",
            warning=True,
        )
    if not selectors:
        yield Finding(
            "dkim",
            domain,
            False,
            "not looked for",
            "a key for each selector",
            "name the selectors of your mail server in check_mail_selectors",
            warning=True,
        )
    if address is not None:
        yield _reverse(names, address)


def _one(check: str, domain: str, found: Sequence[str], limit: str, cure: str) -> Finding:
    if len(found) > 1:
        measured, cure = (
            f"{len(found)} records",
            f"leave one of them: with several all of {domain}'s are void",
        )
    else:
        measured = found[0] if found else "no record"
    return Finding(check, domain, len(found) == 1, measured, limit, cure, warning=True)


def _reverse(names: Names, address: str) -> Finding:
    """Whether the address has a name that has the address again."""
    told = names.name_of(address)
    if told.silent:
        return _silent(address)
    found = told.texts
    same = [name for name in found if address in names.addresses(name).texts]
    measured = ", ".join(found) if found else "no name"
    if found and not same:
        measured += f", which has not {address}"
    cure = f"ask the provider of {address} for a PTR record with the name that has it"
    return Finding("ptr", address, bool(same), measured, "a name that has this address", cure, warning=True)


def _silent(subject: str) -> Finding:
    cure = "look at the control node's resolver, or name servers in check_dns_servers"
    return Finding("dns", subject, False, "no name server answers", "an answer", cure, warning=True)


def public(address: str) -> bool:
    """Whether an address is one that the world can reach."""
    try:
        return ip_address(address).is_global
    except ValueError:
        return False
