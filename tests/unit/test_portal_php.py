"""The door to the portal's PHP: a script that never ends is ended, with all that it started."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible.module_utils import boxlift_php


def test_a_bootstrap_that_hangs_is_ended_and_the_cause_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bootstrap = tmp_path / "bitrix/modules/main/include/prolog_before.php"
    bootstrap.parent.mkdir(parents=True)
    bootstrap.touch()
    php = tmp_path / "php"
    php.write_text("#!/bin/sh\nsleep 600 & wait\n")
    php.chmod(0o755)
    monkeypatch.setattr(boxlift_php, "PATIENCE", 0.2)
    # Nobody steps down: the user that PHP runs as is the one of the test.
    monkeypatch.setattr(boxlift_php, "as_user", lambda user, command: list(command))

    def run_command(command: Sequence[str], *, data: str, **_: object) -> tuple[int, str, str]:
        # What PHP started has its output too: this comes back when that is gone as well.
        done = subprocess.run(command, input=data, capture_output=True, text=True, check=False, timeout=60)
        return done.returncode, done.stdout, done.stderr

    params = {"root": str(tmp_path), "user": "portal", "php": str(php)}
    with pytest.raises(boxlift_php.PhpError, match=r"did not end within 0\.2 s.*PROCESSLIST"):
        boxlift_php.run_php(SimpleNamespace(params=params, run_command=run_command), "$result = 1;", None)
