"""Filters that draw names of nobody."""

from __future__ import annotations

from collections.abc import Callable

from ansible.errors import AnsibleFilterError

try:
    from faker import Faker
    from faker.config import AVAILABLE_LOCALES
except ImportError as error:
    IMPORT_ERROR: ImportError | None = error
else:
    IMPORT_ERROR = None

#: Enough that names seldom meet, few enough to travel with a task.
SIZE = 600
#: Another seed would give every copy other names.
SEED = 20261122


def pseudonym_pools(locale: str, size: int = SIZE) -> dict[str, list[str]]:
    """Return names to choose from by kind, the same in every run.

    Kinds are first_name, last_name, middle_name, company and address; a language without middle names takes
    first names for them.
    """
    if IMPORT_ERROR is not None:
        raise AnsibleFilterError(f"the control node's Python lacks the package Faker: {IMPORT_ERROR}")
    if locale not in AVAILABLE_LOCALES:
        raise AnsibleFilterError(f"{locale!r} is no locale that Faker knows, as ru_RU or en_US")
    fake = Faker(locale)
    fake.seed_instance(SEED)
    middle = getattr(fake, "middle_name", fake.first_name)
    draws = {
        "first_name": fake.first_name,
        "last_name": fake.last_name,
        "middle_name": middle,
        "company": fake.company,
        "address": fake.address,
    }
    return {
        kind: list(dict.fromkeys(" ".join(draw().split()) for _ in range(size)))
        for kind, draw in draws.items()
    }


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Callable[..., dict[str, list[str]]]]:
        """Return the filters by name."""
        return {"pseudonym_pools": pseudonym_pools}
