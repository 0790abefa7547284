"""Small functions of modules and filters that look at a host."""

import pytest
from ansible.errors import AnsibleFilterError

from filter_plugins.network import of_family
from library.usable_memory import group_limit, memory_total


def test_addresses_are_sorted_by_number_and_stand_once() -> None:
    found = ["192.0.2.100", "192.0.2.9", "2001:db8::1", "192.0.2.9", "198.51.100.7/24"]
    assert of_family(found, 4) == ["192.0.2.9", "192.0.2.100", "198.51.100.0/24"]
    assert of_family(found, 6) == ["2001:db8::1"]


def test_a_name_is_no_address() -> None:
    with pytest.raises(AnsibleFilterError, match=r"'db\.example\.com' is not an IP address"):
        of_family(["db.example.com"], 4)


@pytest.mark.parametrize(("text", "limit"), [("max\n", None), ("2147483648\n", 2147483648)])
def test_limit_of_a_control_group(text: str, limit: int | None) -> None:
    assert group_limit(text) == limit


def test_memory_of_the_machine() -> None:
    assert memory_total("MemFree: 1 kB\nMemTotal:       1024 kB\n") == 1024 * 1024
    with pytest.raises(ValueError, match="MemTotal"):
        memory_total("MemFree: 1 kB\n")
