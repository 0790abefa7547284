"""The environment of every process that boxlift starts: what is let through, what is fixed.

The operator's own ANSIBLE_* settings win, except where they would switch off host key checking, name another
vault password, or write what boxlift cannot clean.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import boxlift
import bxbackup

_KEEP = frozenset(
    {
        "HOME",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "KRB5CCNAME",
        "LANG",
        "LANGUAGE",
        "LOGNAME",
        "NO_PROXY",
        "REQUESTS_CA_BUNDLE",
        "SHELL",
        "SSH_AGENT_PID",
        "SSH_AUTH_SOCK",
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
        "TERM",
        "TMPDIR",
        "TZ",
        "USER",
        "http_proxy",
        "https_proxy",
        "no_proxy",
    }
)
_KEEP_PREFIXES = ("ANSIBLE_", "BOXLIFT_", "LC_", "XDG_")
_DROP = frozenset(
    {
        "ANSIBLE_ASK_VAULT_PASS",
        "ANSIBLE_FORCE_COLOR",
        "ANSIBLE_LOG_PATH",
        "ANSIBLE_STDOUT_CALLBACK",
        "ANSIBLE_VAULT_IDENTITY_LIST",
        "ANSIBLE_VAULT_PASSWORD_FILE",
    }
)
TALLY_DESCRIPTOR = "BOXLIFT_TALLY_FD"
"""Where a suite tells of its tests' ends."""
RUN_MARK = "BOXLIFT_RUN"
"""Carried by every process of a run: its folder. By it processes of a killed runner are found again."""


def own_bin() -> Path:
    """Folder of the programs installed with this boxlift; `ansible-playbook` is taken from there."""
    return Path(sys.executable).parent


def filtered(base: Mapping[str, str], content: Path, run: Path) -> dict[str, str]:
    """Environment for a process of the run whose folder is `run`."""
    kept = {
        name: value
        for name, value in base.items()
        if (name in _KEEP or name.startswith(_KEEP_PREFIXES)) and name not in _DROP
    }
    path = base.get("PATH") or os.defpath
    if not any("UTF-8" in kept.get(name, "").upper() for name in ("LC_ALL", "LC_CTYPE", "LANG")):
        # Ansible refuses to start without a UTF-8 locale
        kept["LC_ALL"] = "C.UTF-8"
    defaults = {
        "ANSIBLE_CONFIG": str(content / "ansible.cfg"),
        "ANSIBLE_ROLES_PATH": str(content / "roles"),
        "ANSIBLE_LIBRARY": str(content / "library"),
        "ANSIBLE_MODULE_UTILS": str(content / "module_utils"),
        "ANSIBLE_FILTER_PLUGINS": str(content / "filter_plugins"),
    }
    fixed = {
        "PATH": f"{own_bin()}{os.pathsep}{path}",
        "ANSIBLE_HOST_KEY_CHECKING": "True",
        "ANSIBLE_NOCOLOR": "True",
        RUN_MARK: f"{run}/",
    }
    return defaults | kept | fixed


def for_suite(
    base: Mapping[str, str], content: Path, run: Path, vault_password: Path, told: Mapping[str, str]
) -> dict[str, str]:
    """Environment for a suite of tests: the same, with our packages and the vault's password in it."""
    places = dict.fromkeys(str(Path(str(own.__file__)).resolve().parents[1]) for own in (boxlift, bxbackup))
    return filtered(base, content, run) | {
        "ANSIBLE_VAULT_PASSWORD_FILE": str(vault_password),
        "PYTHONPATH": os.pathsep.join(places),
        **told,
    }
