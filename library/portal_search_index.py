"""Ansible module: the portal's search index, built in steps."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.boxlift_php import PHP_ARGUMENTS, PhpError, run_php

DOCUMENTATION = r"""
module: portal_search_index
short_description: Build the site index of the portal in steps that can be interrupted
description:
  - Calls C(CSearch::ReIndexAll) of the portal for some seconds and keeps its position in a file on the host.
  - Call it until RV(finished). A call after an interruption goes on where the last one ended.
  - When the index was built and still holds rows, nothing happens.
options:
  root: {description: Document root of the release., type: path, required: true}
  user: {description: User that PHP runs as., type: str, default: portal}
  php: {description: The PHP command., type: str, default: php}
  position_file: {description: File with the position., type: path, required: true}
  seconds: {description: Seconds that one call may take., type: int, default: 15}
  rows: {description: Rows that the index holds now., type: int, required: true}
author: The boxlift authors
"""

EXAMPLES = r"""
- name: Build the site index
  portal_search_index:
    root: /srv/portal/current
    position_file: /var/lib/boxlift/search-final-1.json
    rows: 0
  register: index
  until: index.finished
  retries: 100000
  delay: 0
"""

RETURN = r"""
finished: {description: Whether the index is complete., returned: always, type: bool}
indexed: {description: Elements that were indexed so far., returned: always, type: int}
module: {description: Module of the portal that is being indexed., returned: always, type: str}
"""

# ReIndexAll returns its position as an array until it is done, then a number (portal_runtime F2).
SCRIPT = r"""
if (!\Bitrix\Main\Loader::includeModule('search')) {
    throw new \RuntimeException('the portal has no module search');
}
$position = $input['position'];
$until = time() + $input['seconds'];
do {
    $position = \CSearch::ReIndexAll(true, max(1, min(10, $input['seconds'])), $position, false);
} while (is_array($position) && time() < $until);
$result = ['finished' => !is_array($position), 'position' => $position];
"""


def read_position(path: Path) -> dict[str, Any]:
    """Return what an earlier call left: ``position`` and ``finished``."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError:
        # A position that cannot be read is worth no more than none: the index is built from its beginning.
        return {}
    return content if isinstance(content, dict) else {}


def write_position(path: Path, content: dict[str, Any]) -> None:
    """Keep a position so that a power cut leaves the old or the new one."""
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    with fresh.open("w", encoding="utf-8") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **PHP_ARGUMENTS,
            "position_file": {"type": "path", "required": True},
            "seconds": {"type": "int", "default": 15},
            "rows": {"type": "int", "required": True},
        },
        supports_check_mode=True,
    )
    given = module.params
    path = Path(given["position_file"])
    known = read_position(path)
    if known.get("finished") and given["rows"] > 0:
        module.exit_json(changed=False, finished=True, indexed=known.get("indexed", 0), module="")
    if module.check_mode:
        module.exit_json(changed=True, finished=True, indexed=0, module="")
    position = [] if known.get("finished") else known.get("position", [])
    started = time.time()
    try:
        answer = run_php(module, SCRIPT, {"position": position, "seconds": given["seconds"]})
    except PhpError as error:
        module.fail_json(msg=f"search index: {error}")
    reached = answer["position"]
    indexed = int(reached.get("CNT", 0)) if isinstance(reached, dict) else int(reached or 0)
    write_position(
        path,
        {"finished": answer["finished"], "position": reached, "indexed": indexed, "written": started},
    )
    module.exit_json(
        changed=True,
        finished=answer["finished"],
        indexed=indexed,
        module=str(reached.get("MODULE", "")) if isinstance(reached, dict) else "",
    )


if __name__ == "__main__":
    main()
