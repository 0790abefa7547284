"""Where the playbooks, roles, acceptance tests and example inventory are that this boxlift runs.

In a checkout they stand beside `src/`; an installed wheel carries them in `boxlift/content/`.
"""

from __future__ import annotations

from pathlib import Path

from boxlift.errors import BoxliftError

_PACKAGE = Path(__file__).resolve().parent


def content_root() -> Path:
    """Folder that holds `playbooks/`, `roles/`, `library/`, `inventories/` and `tests/acceptance/`."""
    checkout = _PACKAGE.parents[1]
    for root in (checkout, _PACKAGE / "content"):
        if (root / "ansible.cfg").is_file() and (root / "inventories").is_dir():
            return root
    raise BoxliftError(
        "boxlift's playbooks and roles are missing from this installation",
        cure="install boxlift again: pip install --force-reinstall boxlift",
    )
