"""Ansible module: whether a release's own PHP starts and finds its database."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.boxlift_php import PHP_ARGUMENTS, PhpError, run_php

DOCUMENTATION = r"""
module: portal_start
short_description: Tell whether a release's own PHP starts and finds its database
description:
  - Starts the release's code under the portal's command line bootstrap, with the release's own settings, and
    asks through its connection which database that is and how many persons it has. Changes nothing.
  - Does not fail where the release does not start, so that whoever asks can say what comes next.
options:
  root: {description: Document root of the release., type: path, required: true}
  user: {description: User that PHP runs as., type: str, default: portal}
  php: {description: The PHP command., type: str, default: php}
  database: {description: Database that the release's settings must lead to., type: str, required: true}
author: The boxlift authors
"""

EXAMPLES = r"""
- name: Does the copy start
  portal_start:
    root: /srv/portal/releases/clone-20260301020304
    database: portal_clone_20260301020304
"""

RETURN = r"""
problem: {description: Why it does not start; empty where it does., returned: always, type: str}
"""

# A portal without persons has none who could sign in: its database is not the one that was copied.
SCRIPT = r"""
$connection = \Bitrix\Main\Application::getConnection();
$result = $connection->query('SELECT DATABASE() AS HERE, COUNT(*) AS PERSONS FROM b_user')->fetch();
"""


def problem_of(module: Any, database: str) -> str:
    """Why the release does not start, in one sentence; empty where it does."""
    try:
        answer = run_php(module, SCRIPT, None)
    except PhpError as error:
        return str(error)
    if answer["HERE"] != database:
        return f"its settings lead to the database {answer['HERE']}"
    return "" if int(answer["PERSONS"]) else f"{database} has no persons"


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={**PHP_ARGUMENTS, "database": {"type": "str", "required": True}},
        supports_check_mode=True,
    )
    module.exit_json(changed=False, problem=problem_of(module, module.params["database"]))


if __name__ == "__main__":
    main()
