"""Nobody is signed out by a restart of the session store, another address of his own, or a full cache."""

from http import HTTPStatus

from testinfra.host import Host

from boxlift.verify.browser import Browser
from boxlift.verify.inventory import Inventory
from tests.lab.support import PRODUCTION

REDIS = (
    "REDISCLI_AUTH=$(sed -n 's/^requirepass //p' /etc/redis/redis-$1.conf); export REDISCLI_AUTH;"
    ' port=$(sed -n \'s/^port //p\' /etc/redis/redis-$1.conf); shift; redis-cli -p "$port" "$@"'
)
FILL = (
    "local s = string.rep('x', 65536)"
    " for i = 1, 4096 do redis.call('SET', KEYS[1] .. i, s) end return 'filled'"
)
EMPTY = "for i = 1, 4096 do redis.call('DEL', KEYS[1] .. i) end return 'emptied'"


def redis(host: Host, instance: str, *words: str) -> str:
    marks = " ".join(["%s"] * len(words))
    said: str = host.check_output(f"sh -c %s sh %s {marks}", REDIS, instance, *words)
    return said


async def is_signed_in(browser: Browser) -> bool:
    return (await browser.get("/online/", json=True)).status == HTTPStatus.OK


async def test_a_session_survives_a_restart_of_its_store(signed_in: Browser, production: Host) -> None:
    assert await is_signed_in(signed_in)
    production.check_output("systemctl restart redis-server@sessions.service")
    production.run(
        "for n in 1 2 3 4 5 6 7 8 9; do systemctl is-active redis-server@sessions && break; sleep 1; done"
    )
    assert await is_signed_in(signed_in)


async def test_a_session_survives_a_kill_of_its_store(signed_in: Browser, production: Host) -> None:
    # the store writes each second: what is older is on the disk
    production.check_output("sleep 2; systemctl kill --signal=KILL redis-server@sessions.service; sleep 3")
    assert production.service("redis-server@sessions").is_running
    assert await is_signed_in(signed_in)


async def test_a_session_survives_another_address(
    signed_in: Browser, production: Host, inventory: Inventory
) -> None:
    domain = str(inventory.setting(PRODUCTION, "portal_domain"))
    status = production.check_output(
        "curl --silent --insecure --output /dev/null --write-out '%%{http_code}' --resolve %s --cookie %s"
        " --header 'Accept: application/json' %s",
        f"{domain}:443:127.0.0.1",
        f"PHPSESSID={signed_in.cookie('PHPSESSID')}",
        f"https://{domain}/online/",
    )
    assert status == "200"
    assert await is_signed_in(signed_in)


async def test_a_session_survives_a_full_cache(signed_in: Browser, production: Host) -> None:
    before = redis(production, "cache", "INFO", "stats")
    try:
        assert redis(production, "cache", "EVAL", FILL, "1", "boxlift-fill:") == "filled"
        after = redis(production, "cache", "INFO", "stats")
        assert evicted(after) > evicted(before), "the cache did not fill"
        assert await is_signed_in(signed_in)
        assert evicted(redis(production, "sessions", "INFO", "stats")) == 0
    finally:
        redis(production, "cache", "EVAL", EMPTY, "1", "boxlift-fill:")


def evicted(stats: str) -> int:
    return next(int(line.partition(":")[2]) for line in stats.split() if line.startswith("evicted_keys:"))
