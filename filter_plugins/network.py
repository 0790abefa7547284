"""Filters about network addresses, for templates."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable

from ansible.errors import AnsibleFilterError


def of_family(addresses: Iterable[str], version: int) -> list[str]:
    """The addresses and networks of one IP version (4 or 6), sorted by number, each once."""
    found = set()
    for address in addresses:
        try:
            network = ipaddress.ip_network(str(address), strict=False)
        except ValueError as error:
            raise AnsibleFilterError(f"'{address}' is not an IP address or network") from error
        if network.version == version:
            found.add(network)
    return [
        str(network.network_address) if network.num_addresses == 1 else str(network)
        for network in sorted(found, key=lambda network: (int(network.network_address), network.prefixlen))
    ]


def alternative_names(places: Iterable[str]) -> list[str]:
    """Names of a certificate, as its request writes them: `IP:` before addresses, `DNS:` before the rest."""
    return [f"{'IP' if is_address(place) else 'DNS'}:{place}" for place in map(str, places)]


def without_addresses(places: Iterable[str]) -> list[str]:
    """Those of the places that are no IP addresses: names."""
    return [place for place in map(str, places) if not is_address(place)]


def is_address(place: str) -> bool:
    """Whether it is one IP address."""
    try:
        ipaddress.ip_address(place)
    except ValueError:
        return False
    return True


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., list[str]]]:
        """Names under which templates find the functions."""
        return {
            "of_family": of_family,
            "alternative_names": alternative_names,
            "without_addresses": without_addresses,
        }
