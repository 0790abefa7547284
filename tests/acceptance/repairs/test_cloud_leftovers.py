"""Nothing of the cloud is left that the box would stumble over (portal_runtime D4, B2.6, J4)."""

from collections.abc import Iterable, Iterator

from testinfra.host import Host

from boxlift.verify.release import Release

# Which of the files, given as size and name in hexadecimal, lie in a folder.
HERE = """
import os, sys
folder = os.fsencode(sys.argv[1])
for told in sys.argv[2:]:
    size, name = told.split(":")
    path = os.path.join(folder, bytes.fromhex(name))
    if os.path.isfile(path) and os.path.getsize(path) == int(size):
        print(path.decode(errors="backslashreplace"))
"""
# A shell takes no longer command.
ROOM = 100_000


def batches(words: Iterable[str]) -> Iterator[list[str]]:
    """As many words at once as a command has room for."""
    batch: list[str] = []
    length = 0
    for word in words:
        if batch and length + len(word) > ROOM:
            yield batch
            batch, length = [], 0
        batch.append(word)
        length += len(word) + 3
    if batch:
        yield batch


def test_every_module_has_its_folder(portal: Host, active_release: Release) -> None:
    registered = {row[0] for row in active_release.database.rows("SELECT ID FROM b_module")}
    places = [f"{active_release.root}/{place}/modules" for place in ("bitrix", "local")]
    # The owner's own folder need not be there.
    folders = portal.run("ls -1 %s %s", *places).stdout.splitlines()
    assert registered - set(folders) == set()


def test_no_handler_restricts_hosts(active_release: Release) -> None:
    found = active_release.database.value(
        "SELECT COUNT(*) FROM b_module_to_module"
        " WHERE TO_MODULE_ID = 'bitrix24' OR TO_CLASS LIKE '%HostRestriction'"
    )
    assert found == "0"


def test_cdn_is_off(active_release: Release) -> None:
    values = active_release.database.rows(
        "SELECT VALUE FROM b_option WHERE MODULE_ID = 'bitrixcloud' AND NAME = 'cdn_config_active'"
    )
    if "b_bitrixcloud_option" in active_release.database.tables():
        values += active_release.database.rows(
            "SELECT PARAM_VALUE FROM b_bitrixcloud_option WHERE NAME = 'cdn_config_active'"
        )
    assert {row[0] for row in values} <= {"0", "N", ""}


def test_files_that_are_here_are_read_from_here(portal: Host, active_release: Release) -> None:
    rows = active_release.database.rows(
        "SELECT COALESCE(FILE_SIZE, 0), HEX(CONCAT_WS('/', SUBDIR, FILE_NAME)) FROM b_file"
        " WHERE COALESCE(HANDLER_ID, '') <> ''"
    )
    here = ""
    for batch in batches(f"{size}:{name}" for size, name in rows):
        here += portal.check_output(
            f"python3 -c %s %s{' %s' * len(batch)}", HERE, f"{active_release.root}/upload", *batch
        )
    assert here == ""


def test_buckets_take_no_new_files(active_release: Release) -> None:
    if "b_clouds_file_bucket" in active_release.database.tables():
        found = active_release.database.value(
            "SELECT COUNT(*) FROM b_clouds_file_bucket WHERE READ_ONLY <> 'Y'"
        )
        assert found == "0"
