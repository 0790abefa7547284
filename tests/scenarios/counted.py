"""Counts packets between hosts of the lab, where they leave and where they arrive, with nftables."""

from __future__ import annotations

import json
from dataclasses import dataclass

from testinfra.host import Host

_TABLE = "boxlift_watch"


@dataclass(frozen=True)
class Watch:
    """Counters of one host; `addresses` are those of the other side, by the name of the counter.

    `tried` counts what programs of the host send, before any firewall; `left` what leaves it; `came` what
    arrives.
    """

    host: Host
    addresses: dict[str, list[str]]

    def start(self) -> None:
        """Count from zero."""
        lines = [f"add table inet {_TABLE}", f"delete table inet {_TABLE}", f"add table inet {_TABLE}"]
        chains = {
            "tried": ("output", -300, "daddr"),
            "left": ("postrouting", 300, "daddr"),
            "came": ("prerouting", -300, "saddr"),
        }
        for chain, (hook, priority, side) in chains.items():
            kind = f"{{ type filter hook {hook} priority {priority}; policy accept; }}"
            lines.append(f"add chain inet {_TABLE} {chain} {kind}")
            for name, addresses in self.addresses.items():
                lines.append(f"add counter inet {_TABLE} {chain}_{name}")
                for address in addresses:
                    match = f"{'ip6' if ':' in address else 'ip'} {side} {address}"
                    # Without these a link has no addresses at all; ARP is no matter of this table either.
                    neighbours = "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } return"
                    lines += [
                        f"add rule inet {_TABLE} {chain} {match} {neighbours}",
                        f"add rule inet {_TABLE} {chain} {match} counter name {chain}_{name}",
                    ]
        self.host.check_output("printf %%s %s | nft -f -", "\n".join(lines) + "\n")

    def packets(self, chain: str, name: str) -> int:
        """Packets so far."""
        output = self.host.check_output("nft -j list counter inet %s %s", _TABLE, f"{chain}_{name}")
        found: int = next(
            entry["counter"]["packets"] for entry in json.loads(output)["nftables"] if "counter" in entry
        )
        return found

    def stop(self) -> None:
        """Leave nothing behind."""
        self.host.run(f"nft delete table inet {_TABLE}")
