"""Where the playbooks, roles, acceptance tests and example inventory are that this boxlift runs.

In a checkout they stand beside `src/`; an installed wheel carries them in `boxlift/content/`. BOXLIFT_CONTENT
names another folder, for operators who keep playbooks of their own.
"""

from __future__ import annotations

import os
from pathlib import Path

from boxlift.errors import BoxliftError

INSTALL = "install it anew: make setup in a checkout, or its wheel (README.md, Install)"
"""What cures an installation that lacks something; boxlift is in no index of packages."""
_PACKAGE = Path(__file__).resolve().parent


def content_root() -> Path:
    """Folder that holds `playbooks/`, `roles/`, `library/`, `inventories/` and `tests/acceptance/`."""
    own = os.environ.get("BOXLIFT_CONTENT")
    for root in [Path(own)] if own else [_PACKAGE.parents[1], _PACKAGE / "content"]:
        if (root / "ansible.cfg").is_file() and (root / "inventories").is_dir():
            return root
    raise BoxliftError(
        f"boxlift's playbooks and roles are missing from {own or 'this installation'}",
        cure="correct BOXLIFT_CONTENT" if own else INSTALL,
    )


def suites(content: Path) -> list[str]:
    """Names of the suites of acceptance tests that exist."""
    folder = content / "tests" / "acceptance"
    return sorted(
        path.name for path in folder.glob("[a-z]*") if path.is_dir() and any(path.glob("test_*.py"))
    )
