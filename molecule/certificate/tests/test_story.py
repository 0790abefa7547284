"""A certificate is replaced while people talk; broken ones are refused; what is not taken is put back."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from testinfra.host import Host

from boxlift.verify import tls
from boxlift.verify.browser import Browser, receive_text
from boxlift.verify.channel import new_channel_id, sign
from boxlift.verify.inventory import Inventory, Setting
from boxlift.verify.sip import Line
from tests.certificates import Holder
from tests.scenarios.deployment import Deployment, Seller
from tests.scenarios.drift import drifts

Presented = Callable[[], dict[tuple[str, int], str]]

OK = 200
PRIVATE = 0o600
# More than buffers on the way hold.
SIZE = 32 * 1024 * 1024
FOLDERS = {"portal-1": "/etc/ssl/boxlift /etc/nginx", "pbx-1": "/etc/asterisk"}


def fingerprint(holder: Holder) -> str:
    return hashlib.sha256(holder.certificate.public_bytes(Encoding.DER)).hexdigest()


def files(inventory: Inventory) -> dict[str, str]:
    """Names, contents' times and rights of everything that a deployment may touch."""
    return {
        host: inventory.connect(host).check_output(f"find {folders} -printf '%p %l %m %u %T@ %s\\n' | sort")
        for host, folders in FOLDERS.items()
    }


@dataclass(frozen=True)
class Download:
    """A download that pauses: the client has asked and reads on later."""

    connection: ssl.SSLSocket

    def rest(self) -> int:
        """Bytes of the body, all of them."""
        data = b""
        while chunk := self.connection.recv(65536):
            data += chunk
        return len(data.partition(b"\r\n\r\n")[2])


async def test_connections_live_through_a_replacement(
    inventory: Inventory,
    setting: Setting,
    push: Host,
    browser: Browser,
    ca_file: Path,
    seller: Seller,
    names: list[str],
    deployment: Deployment,
    presented: Presented,
) -> None:
    portal, telephony = (inventory.address(host) for host in FOLDERS)
    asked = await asyncio.to_thread(deployment.play, "request_certificate")
    assert asked.code == 0, asked.output
    key = deployment.key.read_bytes()
    assert deployment.key.stat().st_mode & 0o777 == PRIVATE
    bought = seller.sign(deployment.request, deployment.certificate)
    channel = new_channel_id()
    settings = tls.context(ca_file)
    path = f"/bitrix/subws/?CHANNEL_ID={sign(channel, str(setting('vault_push_signature_key')))}"
    sip_over_websocket = f"https://{names[1]}:8089/ws"
    with ExitStack() as held:
        slow = tls.connect(portal, names[0], 443, settings, receive=4096)
        held.enter_context(slow)
        slow.sendall(f"GET /download.bin HTTP/1.1\r\nHost: {names[0]}\r\nConnection: close\r\n\r\n".encode())
        line = Line(tls.connect(telephony, names[1], 5061, settings), names[1])
        held.enter_context(line)
        assert line.register("101", "telephone").status == OK
        async with (
            browser.subscribe(path) as subscription,
            Browser(names[1], telephony, ca_file) as softphone,
            softphone.subscribe(sip_over_websocket, ["sip"]) as telephone,
        ):
            outcome = await asyncio.to_thread(deployment.play, "deploy_certificate")
            assert outcome.code == 0, outcome.output
            assert set(presented().values()) == {bought.fingerprint(SHA256()).hex()}

            publish = "curl -sS -o /dev/null -w '%%{http_code}' -H 'Message-Expiry: 60' --data %s %s"
            url = f"http://127.0.0.1:8895/bitrix/pub/?CHANNEL_ID={channel}"
            assert await asyncio.to_thread(push.check_output, publish, "still here", url) == str(OK)
            text = await receive_text(subscription, 10)
            assert text is not None
            assert "still here" in text
            await telephone.ping()
            assert not telephone.closed
        assert line.register("101", "telephone").status == OK
        assert Download(slow).rest() == SIZE
    assert deployment.key.read_bytes() == key
    for host in FOLDERS:
        assert not told(inventory.connect(host), key)


def told(host: Host, key: bytes) -> str:
    """Lines of the host's journal that hold a line of the key."""
    secret = key.decode().splitlines()[1]
    return str(host.run("journalctl --no-pager --output cat | grep --fixed-strings -- %s", secret).stdout)


def test_a_renewal_has_a_key_of_its_own_that_takes_the_place_of_the_former(
    deployment: Deployment, seller: Seller, presented: Presented
) -> None:
    nothing = deployment.play("request_certificate")
    assert nothing.code == 0, nothing.output
    assert nothing.changed == []
    assert not deployment.next_key.exists()

    former = deployment.key.read_bytes()
    assert deployment.play("request_certificate", certificate_renew=True).changed == ["portal-1"]
    assert deployment.play("request_certificate", certificate_renew=True).changed == []
    assert deployment.key.read_bytes() == former
    beside = deployment.next_key.read_bytes()
    assert beside != former

    renewed = seller.sign(deployment.request, deployment.certificate)
    outcome = deployment.play("deploy_certificate")
    assert outcome.code == 0, outcome.output
    assert set(presented().values()) == {renewed.fingerprint(SHA256()).hex()}
    assert deployment.key.read_bytes() == beside
    assert not deployment.next_key.exists()


KILLED_IN = {
    "portal": "certificate : Deploy | Certificate and key, proved by a handshake or put back",
    "telephony": (
        "telephony_certificate : Deploy | Key, certificate and settings,"
        " proved by a handshake on each port or put back"
    ),
}


@pytest.mark.parametrize("where", KILLED_IN)
def test_a_deployment_that_was_killed_is_finished_by_the_next(
    deployment: Deployment,
    seller: Seller,
    names: list[str],
    presented: Presented,
    where: str,
) -> None:
    bought = seller.sell(names)
    deployment.lay_down([bought, seller.middle])
    killed = deployment.kill("deploy_certificate", KILLED_IN[where])
    assert killed.code == 0, killed.output
    outcome = deployment.play("deploy_certificate")
    assert outcome.code == 0, outcome.output
    assert set(presented().values()) == {fingerprint(bought)}
    assert deployment.play("deploy_certificate").changed == []


def test_what_somebody_spoilt_is_repaired(
    inventory: Inventory, deployment: Deployment, seller: Seller, names: list[str], presented: Presented
) -> None:
    bought = seller.sell(names)
    assert deployment.run([bought, seller.middle]).code == 0

    told = drifts("certificate")

    def seen() -> dict[str, str]:
        return {drift.name: drift.seen(inventory.connect(drift.host)) for drift in told}

    healthy = {drift.name: drift.healthy for drift in told}
    assert seen() == healthy
    for drift in told:
        inventory.connect(drift.host).check_output(drift.cause)
    found = seen()
    assert [name for name in healthy if found[name] == healthy[name]] == []
    outcome = deployment.play("deploy_certificate")
    assert outcome.code == 0, outcome.output
    assert seen() == healthy
    assert set(presented().values()) == {fingerprint(bought)}
    assert deployment.play("deploy_certificate").changed == []


def test_the_same_again_changes_nothing(deployment: Deployment, seller: Seller, current: Holder) -> None:
    outcome = deployment.run([current, seller.middle])
    assert outcome.code == 0, outcome.output
    assert outcome.changed == []


@pytest.fixture(scope="module")
def current(deployment: Deployment, seller: Seller, names: list[str], presented: Presented) -> Holder:
    """A good certificate, in service on all ports."""
    bought = seller.sell(names)
    outcome = deployment.run([bought, seller.middle])
    assert outcome.code == 0, outcome.output
    assert set(presented().values()) == {fingerprint(bought)}
    return bought


Broken = Callable[[Seller, Sequence[str]], tuple[list[Holder], Holder | None]]

BROKEN: dict[str, tuple[Broken, str]] = {
    "another key": (
        lambda seller, names: ([seller.sell(names), seller.middle], seller.middle),
        "does not belong to the certificate of portal.acme.example",
    ),
    "expired": (
        lambda seller, names: ([seller.sell(names, begin=-90, days=-1), seller.middle], None),
        "portal.acme.example ended on ",
    ),
    "no intermediate": (
        lambda seller, names: ([seller.sell(names)], None),
        "an intermediate is missing: the chain ends at portal.acme.example, and Seller Intermediate,"
        " which signed it, is no trusted root",
    ),
    "other names": (
        lambda seller, names: ([seller.sell(names[:1]), seller.middle], None),
        "the certificate does not cover pbx.acme.example; it covers portal.acme.example",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_one_is_refused_and_nothing_touched(
    inventory: Inventory,
    deployment: Deployment,
    seller: Seller,
    names: list[str],
    presented: Presented,
    current: Holder,
    kind: str,
) -> None:
    broken, message = BROKEN[kind]
    before = files(inventory)
    outcome = deployment.run(*broken(seller, names))
    assert outcome.code != 0
    assert message in outcome.output
    assert files(inventory) == before
    assert set(presented().values()) == {fingerprint(current)}


@pytest.fixture
def pinned_key(portal: Host) -> Iterator[None]:
    """Somebody has another site of nginx with our certificate and a copy of its key."""
    portal.check_output(
        "cp --dereference /etc/ssl/boxlift/privkey.pem /etc/nginx/copy.key"
        " && printf 'server { listen 8443 ssl; ssl_certificate /etc/ssl/boxlift/fullchain.pem;"
        " ssl_certificate_key /etc/nginx/copy.key; }\\n' > /etc/nginx/conf.d/copy.conf && nginx -t"
    )
    yield
    portal.check_output("rm /etc/nginx/conf.d/copy.conf /etc/nginx/copy.key && systemctl reload nginx")


@pytest.mark.usefixtures("pinned_key")
def test_what_nginx_refuses_is_put_back(
    inventory: Inventory,
    deployment: Deployment,
    seller: Seller,
    names: list[str],
    presented: Presented,
    current: Holder,
) -> None:
    before = files(inventory)
    outcome = deployment.run([seller.sell(names), seller.middle])
    assert outcome.code != 0
    assert "nginx -t failed" in outcome.output
    assert "the former files are back and port 443, 8894 presents the former certificate" in outcome.output
    assert content(before) == content(files(inventory))
    assert set(presented().values()) == {fingerprint(current)}


def content(found: dict[str, str]) -> dict[str, list[list[str]]]:
    """The same without times and folders, which a file that goes and comes back changes."""
    return {
        host: [line.rsplit(" ", 2)[:1] for line in text.splitlines() if " 755 " not in line]
        for host, text in found.items()
    }


@pytest.fixture
def pinned_certificate(inventory: Inventory) -> Iterator[None]:
    """Somebody has put a copy of the certificate into Asterisk's settings, behind ours."""
    pbx = inventory.connect("pbx-1")
    pbx.check_output(
        "cd /etc/asterisk && cp keys/boxlift-*.pem copy.pem && cp keys/boxlift-*.key copy.key"
        " && chown asterisk copy.* && cp --preserve=all http.conf /root/http.conf"
        " && printf '[general](+)\\ntlscertfile=%s.pem\\ntlsprivatekey=%s.key\\n'"
        " /etc/asterisk/copy /etc/asterisk/copy >> http.conf && systemctl reload asterisk"
    )
    yield
    pbx.check_output("cp /root/http.conf /etc/asterisk/http.conf && rm /etc/asterisk/copy.*")


@pytest.mark.usefixtures("pinned_certificate")
def test_what_asterisk_does_not_serve_is_put_back(
    inventory: Inventory,
    deployment: Deployment,
    seller: Seller,
    names: list[str],
    presented: Presented,
    current: Holder,
) -> None:
    before = files(inventory)["pbx-1"]
    bought = seller.sell(names)
    began = time.monotonic()
    outcome = deployment.run([bought, seller.middle])
    assert outcome.code != 0, f"{time.monotonic() - began} s"
    assert "127.0.0.1:8089 presents another certificate" in outcome.output
    assert "the former files are back and port 8089, 5061 presents the former certificate" in outcome.output
    assert content({"pbx-1": before}) == content({"pbx-1": files(inventory)["pbx-1"]})
    found = presented()
    assert {found["pbx-1", 8089], found["pbx-1", 5061]} == {fingerprint(current)}
    # The portal has proved the new one before, and keeps it.
    assert {found["portal-1", 443], found["portal-1", 8894]} == {fingerprint(bought)}


def test_once_that_is_mended_the_next_run_ends_well(
    deployment: Deployment, seller: Seller, names: list[str], presented: Presented
) -> None:
    bought = seller.sell(names)
    outcome = deployment.run([bought, seller.middle])
    assert outcome.code == 0, outcome.output
    assert set(presented().values()) == {fingerprint(bought)}
