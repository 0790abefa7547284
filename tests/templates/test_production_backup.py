"""The program of a backup run, against a source that is a folder here."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.templates.renderer import Renderer

Run = Callable[..., subprocess.CompletedProcess[str]]
NAME = "20250101000000"
# Each client answers what the program asks it; rsync does as the test says in its second, comparing call.
PROGRAMS = {
    "zstd": '#!/bin/sh\ncase "$1" in --decompress) cat "$3" ;; *) cat > "$4" ;; esac\n',
    "mariadb": '#!/bin/sh\ncase "$*" in *information_schema*) echo 1 ;; *b_user*) echo 3 ;; esac\n'
    "[ -t 0 ] || cat > /dev/null\n",
    "rsync": '#!/bin/sh\nfor place; do :; done\ncase "$*" in\n'
    "  *--dry-run*) echo upload/; echo upload/a; exit {code} ;;\n"
    '  *) for file in {files}; do : > "$place/$file"; done ;;\nesac\n',
    "way": '#!/bin/sh\ncase "$2" in release) echo final-1 ;;\n'
    "  dump) printf 'CREATE TABLE `b_user`\\n-- Dump completed\\n' ;; esac\n",
}


@pytest.fixture
def run(example: Renderer, tmp_path: Path) -> Run:
    """Run the rendered program; the comparing rsync ends with the code, the pulling one brings the files."""
    reader = tmp_path / "reader"
    reader.mkdir()

    def ran(*, code: int = 0, files: str = "index.php") -> subprocess.CompletedProcess[str]:
        for name, text in PROGRAMS.items():
            program = reader / ("ssh" if name == "way" else name)
            program.write_text(text.replace("{code}", str(code)).replace("{files}", files), encoding="utf-8")
            program.chmod(0o700)
        text = example.text(
            "production_backup",
            "backup.sh.j2",
            "staging-1",
            production_backup_name=NAME,
            production_backup_source_address="192.0.2.11",
            production_backup_reader_folder=str(reader),
            production_backup_folder=str(tmp_path / "backups"),
        )
        return subprocess.run(
            [shutil.which("bash") or "bash", "-c", text],
            env={"PATH": f"{reader}:{os.environ['PATH']}"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    (tmp_path / "backups").mkdir()
    return ran


@pytest.mark.parametrize("code", [0, 24])
def test_what_production_changed_meanwhile_is_reported(run: Run, tmp_path: Path, code: int) -> None:
    answer = run(code=code)
    assert answer.returncode == 0, answer.stderr
    proof = json.loads((tmp_path / "backups" / NAME / "proof.json").read_text(encoding="utf-8"))
    assert proof == {"release": "final-1", "tables": 1, "users": 3, "files": 1, "changed_meanwhile": 1}


@pytest.mark.parametrize("code", [11, 12, 23])
def test_a_comparison_that_breaks_off_proves_nothing(run: Run, tmp_path: Path, code: int) -> None:
    assert run(code=code).returncode != 0
    assert not (tmp_path / "backups" / NAME).exists()


def test_a_backup_without_files_proves_nothing(run: Run, tmp_path: Path) -> None:
    answer = run(files="")
    assert answer.returncode == 1
    assert "no file" in answer.stderr
    assert not (tmp_path / "backups" / NAME).exists()


def test_what_a_killed_run_left_goes_and_is_counted_as_no_backup(example: Renderer) -> None:
    names = ["20250103000000", "20250101000000", "20250102000000", "20250104000000.new"]
    unneeded = example.value(
        "production_backup",
        "__production_backup_unneeded",
        "staging-1",
        production_backup_keep=2,
        __production_backup_all={"files": [{"path": f"/var/backups/boxlift/{name}"} for name in names]},
    )
    assert [Path(path).name for path in unneeded] == ["20250101000000", "20250104000000.new"]
