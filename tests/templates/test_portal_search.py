"""The options that a portal's search depends on (portal_runtime F)."""

from __future__ import annotations

from typing import Any

from tests.templates.renderer import Renderer

READERS = {f"search_file_extension_exe_{ending}" for ending in ("doc", "pdf", "ppt", "xls")}


def test_the_clouds_programs_go_and_the_engine_stays(lab: Renderer) -> None:
    given: dict[str, Any] = {"portal_search_release": "final-1", "__portal_search_key": {"exists": True}}
    options = lab.value("portal_search", "__portal_search_options", **given)
    # An option without a value is deleted (library/portal_option.py).
    assert {option["name"] for option in options if "value" not in option} == READERS
    assert {"module": "search", "name": "full_text_engine", "value": "mysql"} in options
