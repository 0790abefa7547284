"""Files of the acceptance suites, to be called without hosts."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

SUITES = Path(__file__).parents[1] / "acceptance"


def suite(name: str) -> ModuleType:
    """A file of the suites (`portal/test_cron`), as a module of its own."""
    found = importlib.util.spec_from_file_location(f"acceptance_{Path(name).stem}", SUITES / f"{name}.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module
