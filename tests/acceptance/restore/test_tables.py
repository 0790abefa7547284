"""Every table of the backup stands in the release's database, row for row."""

import json
from typing import Any

import pytest
from testinfra.host import Host

from boxlift.verify.inventory import Setting
from boxlift.verify.release import Release

DIGEST = """
set -eu
while IFS="$(printf '\\t')" read -r table order; do
  digest=$(mariadb --defaults-file=/etc/boxlift/database.cnf --default-character-set=utf8mb4 -N -B "$1" \
    -e "SET time_zone='+00:00'; SELECT * FROM \\`$table\\` ${order:+ORDER BY $order}" | md5sum | cut -c1-32)
  printf '%s\\t%s\\n' "$table" "$digest"
done <<'TABLES'
"""


@pytest.fixture(scope="module")
def expected_tables(manifest: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: table["after_import"] for name, table in manifest["tables"].items()}


def test_every_table_equals_the_manifest(
    database: Host, restored_release: Release, expected_tables: dict[str, dict[str, Any]]
) -> None:
    listing = "".join(f"{name}\t{table['order_by'] or ''}\n" for name, table in expected_tables.items())
    output = database.check_output(
        "sh -c %s sh %s", DIGEST + listing + "TABLES\n", restored_release.database.name
    )
    digests = dict(line.split("\t") for line in output.splitlines())
    wrong = {name for name, table in expected_tables.items() if digests.get(name) != table["tsv_md5"]}
    assert wrong == set()


def test_row_counts_equal_the_baseline(restored_release: Release, baseline: dict[str, Any]) -> None:
    counts = baseline["rows"]
    query = " UNION ALL ".join(f"SELECT '{name}', COUNT(*) FROM `{name}`" for name in counts)
    actual = {name: int(count) for name, count in restored_release.database.rows(query)}
    assert actual == counts


def test_next_ids_equal_the_baseline(restored_release: Release, baseline: dict[str, Any]) -> None:
    actual = dict(
        restored_release.database.rows(
            "SELECT table_name, auto_increment FROM information_schema.tables"
            f" WHERE table_schema = '{restored_release.database.name}' AND auto_increment IS NOT NULL"
        )
    )
    for name, ids in baseline["ids"].items():
        assert int(actual[name]) == ids["auto_increment"], name


def test_one_collation(restored_release: Release, setting: Setting) -> None:
    """That of the database, of every table and column in Unicode; binary ones compare bytes on purpose."""
    schema = restored_release.database.name
    unicode = "LIKE 'utf8%' AND {0} NOT LIKE '%\\_bin' AND table_schema = '" + schema + "'"
    rows = restored_release.database.rows(
        "SELECT 'the database', default_collation_name FROM information_schema.schemata"
        f" WHERE schema_name = '{schema}' UNION"
        " SELECT table_name, table_collation FROM information_schema.tables"
        f" WHERE table_collation {unicode.format('table_collation')} UNION"
        " SELECT CONCAT(table_name, '.', column_name), collation_name FROM information_schema.columns"
        f" WHERE collation_name {unicode.format('collation_name')}"
    )
    wanted = setting("portal_database_collation")
    assert {name: collation for name, collation in rows if collation != wanted} == {}
    assert len(rows) > 1


def test_other_charsets_are_told(restored_release: Release) -> None:
    """Tables keep a charset that is not Unicode; the product's own check names them (portal_runtime A4)."""
    schema = restored_release.database.name
    rows = restored_release.database.rows(
        "SELECT table_name, character_set_name FROM information_schema.columns"
        f" WHERE table_schema = '{schema}' AND table_name LIKE 'b\\_%'"
        " AND character_set_name NOT LIKE 'utf8%' GROUP BY 1, 2"
    )
    if rows:
        told = ", ".join(f"{table} ({charset})" for table, charset in rows)
        pytest.skip(f"kept in the charset of the backup, which the portal's own check complains of: {told}")


def test_no_table_has_an_old_row_format(restored_release: Release) -> None:
    """A dump's table may name one (portal_runtime A4)."""
    rows = restored_release.database.rows(
        "SELECT table_name, row_format FROM information_schema.tables"
        f" WHERE table_schema = '{restored_release.database.name}' AND table_name LIKE 'b\\_%'"
        " AND row_format IN ('Redundant', 'Compact')"
    )
    assert dict(rows) == {}, "ALTER TABLE ... ROW_FORMAT=DYNAMIC for each"


def test_views_work(restored_release: Release) -> None:
    views = restored_release.database.rows(
        "SELECT table_name FROM information_schema.views"
        f" WHERE table_schema = '{restored_release.database.name}'"
    )
    for (name,) in views:
        assert int(restored_release.database.value(f"SELECT COUNT(*) FROM `{name}`")) >= 0


def test_restore_is_done(portal: Host, restored_release: Release) -> None:
    status = json.loads(portal.file(f"{restored_release.state}/status.json").content_string)
    assert status["state"] == "done"
    assert status["exit"] == 0
    assert status["parts"]["unpacked"] == status["parts"]["total"]
    assert status["tables"]["loaded"] == status["tables"]["total"]
