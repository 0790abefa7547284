"""What lets a host put renewed certificates into service by itself."""

import json
from typing import Any

from tests.templates.renderer import Renderer


def settings(renderer: Renderer, **given: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(renderer.text("certificate", "certificate.json.j2", **given))
    return found


def test_the_host_checks_and_proves_what_is_checked_and_proved_from_outside(lab: Renderer) -> None:
    found = settings(lab)
    assert found["names"] == ["portal.acme.example", "pbx.acme.example"]
    assert found["ports"] == [443, 8894]
    assert found["folder"] == "/etc/ssl/boxlift"
    assert found["record"] == "/var/lib/boxlift/certificate/nginx.json"
    assert found["prune"] == ["/etc/ssl/boxlift/pairs/*/*.pem"]
    assert found["check"] == ["nginx", "-t"]


def test_roots_are_the_systems_unless_some_are_named(lab: Renderer) -> None:
    assert settings(lab)["roots"] == "/etc/ssl/certs/ca-certificates.crt"
    assert settings(lab, certificate_roots_file="ca.pem")["roots"] == "/etc/boxlift/certificate-roots.pem"


def test_the_program_is_python(lab: Renderer) -> None:
    text = lab.text("certificate", "boxlift-certificate.py.j2")
    compile(text, "boxlift-certificate", "exec")
    assert text.startswith("#!/usr/bin/python3\n")


def test_the_hook_minds_our_certificate_alone(lab: Renderer) -> None:
    text = lab.text("certificate", "hook.sh.j2")
    assert text.startswith("#!/bin/sh\n")
    assert '[ "$RENEWED_LINEAGE" = "/etc/letsencrypt/live/boxlift" ] || exit 0' in text


def test_a_host_whose_certificate_comes_from_elsewhere_takes_in_nothing(lab: Renderer) -> None:
    text = lab.text("certificate", "boxlift-certificate.service.j2")
    assert "ConditionPathExists=/etc/boxlift/certificate.json\n" in text
    assert "ReadWritePaths=/etc/ssl/boxlift\n" in text
