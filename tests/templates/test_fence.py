"""What serves and sends is bound to the fence where there is one, and to nothing elsewhere."""

import subprocess

import pytest

from tests.templates.renderer import Renderer

FENCE = "nftables.service boxlift-fence.service"
BOUND = f"Requires={FENCE}\nAfter={FENCE}\n"
UNITS = {
    "php": "sandbox.conf.j2",
    "push_server": "push-server@.service.j2",
    "portal": "portal-agents.service.j2",
}
KNOWN = {"push_server_checksum": "sha256:" + "0" * 64}
LISTED = '\t\ttype filter hook output priority filter; policy {policy};\n\t\toif "lo" accept'


@pytest.mark.parametrize(("role", "template"), UNITS.items())
def test_a_copy_serves_and_sends_behind_its_fence_alone(example: Renderer, role: str, template: str) -> None:
    unit = example.text(role, template, "staging-1", **KNOWN)
    assert BOUND in unit.partition("[Service]")[0]


@pytest.mark.parametrize(("role", "template"), UNITS.items())
def test_where_there_is_no_fence_nobody_waits_for_one(example: Renderer, role: str, template: str) -> None:
    assert "Requires" not in example.text(role, template, **KNOWN)
    assert "Requires" not in example.text(
        role, template, "staging-1", firewall_egress_policy="accept", **KNOWN
    )


def test_the_web_server_of_a_copy(example: Renderer) -> None:
    assert example.value("web", "web_required_units", "staging-1") == FENCE.split()
    assert example.value("web", "web_required_units") == []
    assert BOUND in example.text("web", "required.conf.j2", "staging-1")


@pytest.mark.parametrize(
    ("listed", "code"),
    [
        (f"echo '{LISTED.format(policy='drop')}'", 0),
        (f"echo '{LISTED.format(policy='accept')}'", 1),
        ("echo 'Error: No such file or directory' >&2; exit 1", 1),
    ],
)
def test_a_fence_is_what_the_kernel_says(example: Renderer, listed: str, code: int) -> None:
    unit = example.text("firewall", "boxlift-fence.service.j2", "staging-1")
    assert "StartLimitIntervalSec=0\n" in unit
    command = unit.partition("ExecStart=/bin/sh -c '")[2].rstrip().removesuffix("'")
    done = subprocess.run(
        ["sh", "-c", f"nft() {{ {listed}; }}\n{command}"], capture_output=True, text=True, check=False
    )
    assert done.returncode == code
    assert ("no fence holds back" in done.stderr) == bool(code)
