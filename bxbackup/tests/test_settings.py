"""A restored portal's settings are the archive's own, with this database's account."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from backup_samples import Run
from hypothesis import HealthCheck, given
from hypothesis import settings as unhurried
from hypothesis import strategies as some
from programs import needs

from bxbackup.errors import DamagedError
from bxbackup.phpvalue import Array, Literal, Value, read, write

PASSWORD = 'it\'s a \\ "secret" $x'
PHP = shutil.which("php")
with_php = needs("php", package="php-cli")


@pytest.fixture
def site(sample_dumps: dict[str, Path], tmp_path: Path) -> Path:
    return shutil.copytree(sample_dumps["M1"], tmp_path / "site")


@pytest.fixture
def client(tmp_path: Path) -> Path:
    path = tmp_path / "portal.cnf"
    escaped = PASSWORD.replace("\\", "\\\\")
    path.write_text(f"[client]\nuser=portal\npassword={escaped}\nhost=db.acme.example\nport=3307\n")
    return path


def by_php(path: Path) -> Any:
    assert PHP is not None
    code = f"echo json_encode(include {json.dumps(str(path))});"
    return json.loads(subprocess.run([PHP, "-r", code], check=True, capture_output=True).stdout)


@with_php
def test_only_the_default_connection_changes(run: Run, site: Path, client: Path) -> None:
    outcome = run("settings", site, "--database", "portal_final_1", "--defaults-file", client)
    assert outcome.code == 0, outcome.err
    assert PASSWORD not in outcome.out + outcome.err
    before, after = (by_php(site / "bitrix" / name) for name in (".settings.restore.php", ".settings.php"))
    default = before["connections"]["value"]["default"]
    default |= {
        "host": "db.acme.example:3307",
        "database": "portal_final_1",
        "login": "portal",
        "password": PASSWORD,
    }
    assert after == before
    assert after["crypto"]["value"]["crypto_key"]
    for name in (".settings.php", "php_interface/dbconn.php"):
        assert stat.S_IMODE((site / "bitrix" / name).stat().st_mode) == 0o600


@with_php
def test_old_kernels_read_their_own_file(run: Run, site: Path, client: Path) -> None:
    assert run("settings", site, "--database", "portal", "--defaults-file", client).code == 0
    assert PHP is not None
    path = site / "bitrix/php_interface/dbconn.php"
    names = "$DBHost, $DBLogin, $DBPassword, $DBName, $DBType"
    code = f"include {json.dumps(str(path))}; echo json_encode([{names}]);"
    shown = subprocess.run([PHP, "-r", code], check=True, capture_output=True).stdout
    assert json.loads(shown) == ["db.acme.example:3307", "portal", PASSWORD, "portal", "mysql"]


def test_what_is_left_of_the_source_is_told(run: Run, site: Path, client: Path) -> None:
    told = run("settings", site, "--database", "portal", "--defaults-file", client).out
    assert "the connection replica has no account" in told
    assert "these sections name servers, maybe the source's: cache, session, pull" in told
    assert "defines BX24_HOST_NAME" in told
    assert ".htaccess.restore holds" in told


def test_settings_that_stand_are_never_replaced(run: Run, site: Path, client: Path) -> None:
    words = ("settings", site, "--database", "portal", "--defaults-file", client)
    for name in (".settings.php", "php_interface/dbconn.php"):
        (site / "bitrix" / name).write_text("mine")
        assert run(*words).code == 6
        assert (site / "bitrix" / name).read_text() == "mine"
        (site / "bitrix" / name).unlink()
    assert run(*words).code == 0
    assert run(*words).code == 6


def test_without_the_archives_settings_there_is_nothing_to_write(run: Run, tmp_path: Path) -> None:
    assert run("settings", tmp_path, "--database", "portal").code == 4


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_the_owner_is_the_side_files(run: Run, site: Path, client: Path) -> None:
    os.chown(site / "bitrix/.settings.restore.php", 65533, 65533)
    assert run("settings", site, "--database", "portal", "--defaults-file", client).code == 0
    assert (site / "bitrix/.settings.php").stat().st_uid == 65533


def test_equal_rules_are_not_kept_twice(run: Run, site: Path, client: Path) -> None:
    shutil.copy(site / ".htaccess.restore", site / ".htaccess")
    assert run("settings", site, "--database", "portal", "--defaults-file", client).code == 0
    assert not (site / ".htaccess.restore").exists()


def test_a_local_server_is_named_as_the_product_does(run: Run, site: Path, tmp_path: Path) -> None:
    client = tmp_path / "local.cnf"
    client.write_text("[client]\nuser=portal\nsocket=/run/other.sock\n")
    assert run("settings", site, "--database", "portal", "--defaults-file", client).code == 0
    found = read((site / "bitrix/.settings.php").read_text(), "x")
    assert found.below("connections", "value", "default", "host") == "localhost:/run/other.sock"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<?php",
        "<?php return 1;",
        "<?php return array('a' => 1)",
        "<?php return array('a' => getenv('HOME'));",
        "<?php return array('a' => $x);",
        '<?php return array("a" => "$x");',
        "<?php return array('a' => new X());",
        "<?php return array('a' 1);",
        "<?php return array(array() => 1);",
        "<?php return array('a' => 1); system('id');",
        "<?php return array('a' => 'secret",
        "<?php return " + "array(" * 500 + ")" * 500 + ";",
    ],
)
def test_code_is_refused_and_never_shown(text: str) -> None:
    with pytest.raises(DamagedError) as refused:
        read(text, "settings")
    assert "secret" not in " ".join(refused.value.lines())


def test_forms_that_people_write_are_read() -> None:
    text = """<?php
    // by hand
    return ['a' => ["b", 'c\\'d\\\\', 5 => true, 'x',], /* so */ '7' => -1.5, "k" => Array ( ), # end
    ];
    ?>
    """
    found = read(text, "settings")
    assert found.items["a"] == Array({0: "b", 1: "c'd\\", 5: Literal("true"), 6: "x"})
    assert found.items[7] == Literal("-1.5")
    assert found.below("k") == Array()
    assert found.below("a", "no", "deeper") is None


def test_a_sample_comes_back_as_it_was(site: Path) -> None:
    text = (site / "bitrix/.settings.restore.php").read_text()
    assert write(read(text, "settings")) == text


WORDS = some.text(alphabet="ab'\\\n\" $я", max_size=6)
KEYS = some.integers(-9, 99) | WORDS


def array(items: dict[str | int, Value]) -> Array:
    return Array(items)


VALUES: some.SearchStrategy[Value] = some.recursive(
    WORDS | some.sampled_from([Literal("1"), Literal("NULL"), Literal("2.5"), Literal("false")]),
    lambda inner: some.dictionaries(KEYS, inner, max_size=4).map(array),
    max_leaves=8,
)


@unhurried(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(some.dictionaries(KEYS, VALUES, max_size=4).map(array))
def test_what_is_written_is_read_back(value: Array) -> None:
    assert read(write(value), "settings") == value
