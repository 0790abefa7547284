"""Stories look at their hosts with the fixtures of the acceptance suites."""

from tests.acceptance.conftest import (
    active_release,
    browser,
    ca_file,
    database,
    host_of,
    inventory,
    portal,
    portal_name,
    push,
    pytest_addoption,
    server_database,
    setting,
    signed_in,
    target,
)

__all__ = [
    "active_release",
    "browser",
    "ca_file",
    "database",
    "host_of",
    "inventory",
    "portal",
    "portal_name",
    "push",
    "pytest_addoption",
    "server_database",
    "setting",
    "signed_in",
    "target",
]
