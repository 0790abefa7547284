"""What the clean-up after a move takes away."""

from typing import Any

from tests.templates.renderer import Renderer

FOLDERS = ["box", "final-1", "kept-1", "rehearsal-1", "somebody-elses"]


def test_only_former_releases_of_the_register_go(example: Renderer) -> None:
    facts: dict[str, Any] = {
        "leftovers_keep_releases": ["kept-1"],
        "__leftovers_link": {"stat": {"lnk_source": "releases/final-1"}},
        "__leftovers_releases": {"files": [{"path": f"/srv/portal/releases/{name}"} for name in FOLDERS]},
    }
    asked = example.value("leftovers", "__leftovers_folders", **facts)
    assert asked == ["box", "rehearsal-1", "somebody-elses"]
    records = [{"item": name, "release": {} if "else" in name else {"name": name}} for name in asked]
    assert example.value("leftovers", "__leftovers_former", __leftovers_records={"results": records}) == [
        "box",
        "rehearsal-1",
    ]
