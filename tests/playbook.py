"""ansible-playbook on this machine, with the project's ansible.cfg and nobody's settings."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]


def ansible_playbook(home: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run it in a folder that is its home too: relative paths are the test's; environment is set besides."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    return subprocess.run(
        [str(Path(sys.executable).with_name("ansible-playbook")), *words],
        cwd=home,
        env={
            **own,
            "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg"),
            "HOME": str(home),
            "LC_ALL": "C.UTF-8",
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )
