"""The portal's files: who owns them, who may read the secrets among them."""

from testinfra.host import Host

SECRETS = ["bitrix/.settings.php", "bitrix/.settings_extra.php", "bitrix/php_interface/dbconn.php"]


def test_active_release_is_a_link(portal: Host) -> None:
    assert portal.file("/srv/portal/current").is_symlink
    target: str = portal.check_output("readlink -f /srv/portal/current")
    assert target.startswith("/srv/portal/releases/")


def test_secrets_are_closed_to_others(portal: Host) -> None:
    modes = {name: portal.file(f"/srv/portal/current/{name}").mode & 0o007 for name in SECRETS}
    assert set(modes.values()) == {0}


def test_web_server_cannot_read_the_settings(portal: Host) -> None:
    for name in SECRETS:
        command = portal.run("runuser -u www-data -- cat %s", f"/srv/portal/current/{name}")
        assert command.rc != 0, name


def test_portal_user_can_write_everywhere(portal: Host) -> None:
    # portal_runtime A8: the whole tree must be writable by the PHP user.
    stray = portal.check_output("find /srv/portal/current/ -not -user portal -print -quit")
    assert stray == ""
