"""What a copy would bring is what rsync would bring, and is reckoned from what the last one measured."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from library.portal_ahead import File, files, is_left_out, lacking, measured, packed, reckoned, unpacked

ROOT = Path(__file__).parents[2]
VARIABLES = yaml.safe_load((ROOT / "roles/portal_clone/vars/main.yml").read_text(encoding="utf-8"))
LEFT_OUT: list[str] = VARIABLES["__portal_clone_left_out"]
FILES = {
    "index.php": "page",
    "bitrix/.settings.php": "secret",
    "bitrix/.settings.php.bak": "secret",
    "bitrix/modules/main/.settings.php": "code",
    "bitrix/php_interface/init.restore.php": "laid beside",
    "bitrix/cache/a/b.php": "cache",
    "bitrix/modules/cache/b.php": "code",
    "bitrix/backup/dump.sql": "backup",
    "upload/a b.pdf": "file",
    "upload/\u043f\u0440\u0438\u0432\u0435\u0442\n.pdf": "file",
    "upload/same.pdf": "same",
    "upload/longer.pdf": "longer",
    "upload/later.pdf": "later",
}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    found = tmp_path / "source"
    for name, text in FILES.items():
        (found / name).parent.mkdir(parents=True, exist_ok=True)
        (found / name).write_text(text)
        os.utime(found / name, (1_000_000, 1_000_000))
    (found / "upload" / os.fsdecode(b"\xff.pdf")).write_text("bytes")
    (found / "upload" / "link.pdf").symlink_to("a b.pdf")
    return found


@pytest.fixture
def former(tmp_path: Path) -> Path:
    found = tmp_path / "former"
    (found / "upload").mkdir(parents=True)
    for name, text, at in (("same", "same", 1e6), ("longer", "long", 1e6), ("later", "later", 2e6)):
        (found / "upload" / f"{name}.pdf").write_text(text)
        os.utime(found / "upload" / f"{name}.pdf", (at, at))
    return found


@pytest.mark.parametrize("attachments", [True, False])
def test_it_is_what_rsync_would_bring(source: Path, former: Path, tmp_path: Path, attachments: bool) -> None:
    left_out = [*LEFT_OUT, *([] if attachments else ["/upload"])]
    (tmp_path / "copy").mkdir()
    told = subprocess.run(
        [
            *("rsync", "--recursive", "--links", "--times", "--dry-run", "--stats", "--no-human-readable"),
            *(f"--exclude={pattern}" for pattern in left_out),
            f"--copy-dest={former}",
            *(f"{source}/", f"{tmp_path / 'copy'}/"),
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    names = {"files": "Number of regular files transferred", "bytes": "Total transferred file size"}
    wanted = {
        name: int(found[1].replace(",", "")) if (found := re.search(rf"{text}: ([\d,]+)", told)) else None
        for name, text in names.items()
    }
    figures = lacking(unpacked(packed(files(source, left_out))), [tmp_path / "copy", former])
    assert {name: figures[name] for name in wanted} == wanted
    assert figures["size"] == sum(file.size for file in files(source, left_out))


def test_what_an_interrupted_copy_has_does_not_travel_again(
    source: Path, former: Path, tmp_path: Path
) -> None:
    everything = lacking(files(source, LEFT_OUT), [former])
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "index.php").write_text("page")
    os.utime(tmp_path / "copy" / "index.php", (1_000_000, 1_000_000))
    assert lacking(files(source, LEFT_OUT), [tmp_path / "copy", former])["files"] == everything["files"] - 1


def test_a_portal_that_is_not_there_has_no_files(tmp_path: Path) -> None:
    listing = packed(files(tmp_path / "none", LEFT_OUT))
    assert list(unpacked(listing)) == []


def test_a_pattern_from_the_root_and_one_of_a_name() -> None:
    assert is_left_out("bitrix/cache", LEFT_OUT)
    assert not is_left_out("local/bitrix/cache", LEFT_OUT)
    assert is_left_out("local/a.restore.php", LEFT_OUT)


def test_the_next_copy_is_reckoned_from_the_last(tmp_path: Path) -> None:
    figures = lacking(iter([File("a", 10, 0), File("b", 990, 0)]), [])
    assert reckoned(figures, measured(tmp_path), "physical", 2000)["seconds"] is None
    (tmp_path / "last.json").write_text(
        '{"method": "physical", "database": {"bytes": 1000, "travelled": 250, "seconds": 10.0},'
        ' "prepare": {"seconds": 5.0}, "files": {"bytes": 0, "size": 1000, "seconds": 3.0}}'
    )
    ahead = reckoned(figures, measured(tmp_path), "physical", 2000)
    assert ahead["database_travels"] == 500
    assert ahead["seconds"] == pytest.approx(10 * 2 + 5 + 3)
    assert reckoned(figures, measured(tmp_path), "logical", 2000)["seconds"] is None
    slow = measured(tmp_path) | {"begun": {"seconds": 60.0}}
    assert reckoned(figures, slow, "physical", 2000)["seconds"] == pytest.approx(60 + 5 + 3)
    (tmp_path / "last.json").write_text("{")
    assert measured(tmp_path) == {}
