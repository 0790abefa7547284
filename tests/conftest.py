"""What all tests share: our Ansible modules as a host sees them, and programs that roles bring along."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import ansible.module_utils
import pytest

ROOT = Path(__file__).parent.parent

# On a host the modules' shared code is part of ansible.module_utils.
ansible.module_utils.__path__.append(str(ROOT / "module_utils"))


@pytest.fixture(scope="module")
def monitor() -> ModuleType:
    """The program of the role `monitoring`, which is no part of a package."""
    program = ROOT / "roles" / "monitoring" / "files" / "portal_monitor.py"
    found = importlib.util.spec_from_file_location("portal_monitor", program)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules["portal_monitor"] = module
    found.loader.exec_module(module)
    return module
