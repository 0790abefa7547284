"""Check mode, on a host that has nothing yet, says what it would do and does none of it."""

from testinfra.host import Host

PROGRAMS = ["nginx", "mariadbd", "redis-server", "node", "postconf", "nft", "php"]


def test_check_mode_changes_nothing(portal: Host) -> None:
    assert [name for name in PROGRAMS if portal.exists(name)] == []
    for path in ("/etc/boxlift", "/srv/portal", "/etc/nftables.conf"):
        assert not portal.file(path).exists, path
    assert not portal.user("portal").exists
