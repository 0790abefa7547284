"""The portal's own PHP API, asked on its host: what a page shows is HTML, what the portal knows is not."""

from __future__ import annotations

import base64
import importlib.util
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any

from testinfra.host import Host

from boxlift.content import content_root

_RUN = 'text=$1; shift; printf %s "$text" | base64 --decode | "$@"'


@cache
def _door() -> ModuleType:
    """What our Ansible modules enter the portal by; it goes with the content and belongs to no package."""
    place = content_root() / "module_utils" / "boxlift_php.py"
    found = importlib.util.spec_from_file_location("boxlift_php", place)
    if found is None or found.loader is None:
        raise ImportError(f"{place} is no module")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


@dataclass(frozen=True)
class Product:
    """Statements under the portal's command line bootstrap, as the portal's user (portal_runtime F4).

    :param root: document root of a release.
    """

    host: Host
    root: str
    user: str = "portal"
    php: str = "php"

    def ask(self, body: str, payload: object = None) -> Any:
        """What the statements leave in ``$result``; ``payload`` is ``$input`` there and holds no secret.

        It stands on the host's command line for as long as it runs, as every command of a suite does.

        Raises:
            PhpError: the statements failed, or the portal ended them; the text is the portal's own.
        """
        door = _door()
        text, mark = door.script(self.root, body, payload)
        done = self.host.run(
            "sh -c %s sh %s runuser --user %s -- %s " + " ".join(["%s"] * len(door.OPTIONS)),
            _RUN,
            base64.b64encode(text.encode()).decode(),
            self.user,
            self.php,
            *door.OPTIONS,
        )
        return door.answer(done.stdout, done.stderr, done.rc, mark)
