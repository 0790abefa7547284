"""The sandbox of a unit as its files say."""

from boxlift.verify.sandbox import fences

UNIT = """# /lib/systemd/system/redis-server@.service
[Unit]
Description=Redis %i
[Service]
ExecStart=/usr/bin/redis-server /etc/redis/redis-%i.conf
User=redis
RuntimeDirectory=redis-%i
CapabilityBoundingSet=CAP_SETGID \\
  CAP_SETUID
ReadWritePaths=-/run/redis-%i

# /etc/systemd/system/redis-server@.service.d/boxlift.conf
[Service]
#ProtectHome=no
CapabilityBoundingSet=
ProtectProc=invisible
"""


def test_fences_stand_in_their_order_and_nothing_else_does() -> None:
    assert list(fences(UNIT, "redis-server@push.service")) == [
        "User=redis",
        "CapabilityBoundingSet=CAP_SETGID  CAP_SETUID",
        "ReadWritePaths=-/run/redis-push",
        "CapabilityBoundingSet=",
        "ProtectProc=invisible",
    ]
