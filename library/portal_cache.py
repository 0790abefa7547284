"""Ansible module: the portal's caches."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.boxlift_php import PHP_ARGUMENTS, PhpError, run_php

DOCUMENTATION = r"""
module: portal_cache
short_description: Purge the caches of the portal
description:
  - Empties the component cache and the managed cache through the portal's API, wherever they live.
  - What was changed in the database directly is invisible to the portal before that.
options:
  root: {description: Document root of the release., type: path, required: true}
  user: {description: User that PHP runs as., type: str, default: portal}
  php: {description: The PHP command., type: str, default: php}
author: The boxlift authors
"""

EXAMPLES = r"""
- name: Purge the portal's caches
  portal_cache:
    root: /srv/portal/releases/final-1
"""

RETURN = "{}"

SCRIPT = r"""
\BXClearCache(true);
\Bitrix\Main\Application::getInstance()->getManagedCache()->cleanAll();
$result = true;
"""


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=dict(PHP_ARGUMENTS), supports_check_mode=True)
    if not module.check_mode:
        try:
            run_php(module, SCRIPT, None)
        except PhpError as error:
            module.fail_json(msg=f"caches of the portal in {module.params['root']}: {error}")
    module.exit_json(changed=True)


if __name__ == "__main__":
    main()
