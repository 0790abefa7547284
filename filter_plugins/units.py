"""Filter that names systemd units and their files after instances."""

from __future__ import annotations

from collections.abc import Callable, Iterable


def as_units(names: Iterable[object], unit: str, file: str) -> list[dict[str, object]]:
    """What module service_in_step takes as units; `%s` in both patterns stands for the instance's name."""
    return [{"name": unit % name, "files": [file % name]} for name in names]


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., list[dict[str, object]]]]:
        """Names under which templates find the functions."""
        return {"as_units": as_units}
