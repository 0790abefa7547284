"""A proxy is believed about its client where it is trusted, and nowhere else (portal_runtime A5)."""

import http.client
import json

from testinfra.host import Host

from boxlift.verify.inventory import Inventory

CLIENT = {"X-Forwarded-For": "198.51.100.7", "X-Forwarded-Proto": "https"}


def test_a_trusted_proxy_is_believed(portal: Host) -> None:
    headers = " ".join(f"--header '{name}: {value}'" for name, value in CLIENT.items())
    told = portal.check_output(f"curl --silent --fail {headers} http://127.0.0.1/")
    assert json.loads(told) == {"REMOTE_ADDR": "198.51.100.7", "HTTPS": "on", "SERVER_PORT": "443"}


def test_nobody_else_is(inventory: Inventory, portal_name: str) -> None:
    connection = http.client.HTTPConnection(inventory.address(portal_name), timeout=10)
    connection.request("GET", "/", headers=CLIENT)
    told = json.loads(connection.getresponse().read())
    assert told["REMOTE_ADDR"] != "198.51.100.7"
    assert (told.get("HTTPS", ""), told["SERVER_PORT"]) == ("", "80")
