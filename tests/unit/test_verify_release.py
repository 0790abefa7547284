"""Which server the suites ask about a release's database."""

from __future__ import annotations

from typing import cast

import pytest
from testinfra.host import Host

from boxlift.verify.release import OPTIONS, Release


class Files:
    """A host with some files."""

    def __init__(self, *paths: str) -> None:
        self._paths = paths

    def file(self, path: str) -> Files:
        return Files(*(known for known in self._paths if known == path))

    @property
    def exists(self) -> bool:
        return bool(self._paths)


@pytest.mark.parametrize("own", [(), ("/var/lib/boxlift/clones/clone-1/client.cnf",)])
def test_a_copy_with_a_server_of_its_own_is_asked_there(own: tuple[str, ...]) -> None:
    database = Release.on(cast(Host, Files(*own)), "clone-1").database
    assert database.options_file == (own[0] if own else OPTIONS)
