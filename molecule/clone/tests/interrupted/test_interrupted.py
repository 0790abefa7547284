"""A copy that was killed has changed nothing that anybody sees."""

from testinfra.host import Host

from boxlift.verify.release import Release


def test_the_copy_before_still_serves(staging_host: Host, copy: Release) -> None:
    names = [
        name for name in staging_host.check_output("ls /var/lib/boxlift/clones").split() if "clone-" in name
    ]
    assert max(names) > copy.name
    assert staging_host.service(f"boxlift-database@{copy.name}").is_running


def test_the_key_is_gone(production_host: Host) -> None:
    assert production_host.run("grep boxlift-reader /root/.ssh/authorized_keys").rc != 0
