"""Ansible module: options of the portal, through its own API."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.boxlift_php import PHP_ARGUMENTS, PhpError, run_php

DOCUMENTATION = r"""
module: portal_option
short_description: Set or delete options of the portal through its PHP API
description:
  - Reads and writes options with C(\Bitrix\Main\Config\Option) under the portal's command line bootstrap.
  - All options of a call travel in one run of PHP. The portal drops its cache of each option that changes.
options:
  root: {description: Document root of the release., type: path, required: true}
  user: {description: User that PHP runs as., type: str, default: portal}
  php: {description: The PHP command., type: str, default: php}
  options:
    description: The options. Values are compared as text.
    type: list
    elements: dict
    required: true
    suboptions:
      module: {description: Module of the option., type: str, required: true}
      name: {description: Name of the option., type: str, required: true}
      value: {description: "Value; without it the option is deleted.", type: str}
author: The boxlift authors
"""

EXAMPLES = r"""
- name: Set the site's server name
  portal_option:
    root: /srv/portal/releases/final-1
    options:
      - {module: main, name: server_name, value: portal.example.com}
"""

RETURN = r"""
changed_options: {description: "Options that changed, as module/name.", returned: always, type: list}
"""

# getRealValue tells an option's own row from its module's default; only a row can be deleted. It has a cache:
# where that differs from the table, somebody wrote past the API, and nothing is decided until it is empty.
SCRIPT = r"""
$connection = \Bitrix\Main\Application::getConnection();
$rows = [];
foreach (array_unique(array_column($input['options'], 'module')) as $module) {
    if (!preg_match('/^[a-z0-9_.]+$/i', $module)) {
        throw new \RuntimeException("$module is no name of a module");
    }
    $found = $connection->query("SELECT NAME, VALUE FROM b_option WHERE MODULE_ID = '$module'");
    while ($row = $found->fetch()) {
        $rows[$module][$row['NAME']] = $row['VALUE'];
    }
}
$result = ['changed' => [], 'stale' => false];
foreach ($input['options'] as $option) {
    [$module, $name, $value] = [$option['module'], $option['name'], $option['value']];
    $row = $rows[$module][$name] ?? null;
    if (\Bitrix\Main\Config\Option::getRealValue($module, $name) !== $row) {
        $result['stale'] = true;
    }
    if ($value === $row) {
        continue;
    }
    $result['changed'][] = $module . '/' . $name;
    if ($input['dry'] || $result['stale']) {
        continue;
    }
    if ($value === null) {
        \Bitrix\Main\Config\Option::delete($module, ['name' => $name]);
    } else {
        \Bitrix\Main\Config\Option::set($module, $name, $value);
    }
}
if ($result['stale'] && !$input['dry']) {
    \Bitrix\Main\Application::getInstance()->getManagedCache()->cleanAll();
}
"""


def main() -> None:
    """Run the module."""
    option: dict[str, Any] = {
        "module": {"type": "str", "required": True},
        "name": {"type": "str", "required": True},
        "value": {"type": "str"},
    }
    module = AnsibleModule(
        argument_spec={
            **PHP_ARGUMENTS,
            "options": {"type": "list", "elements": "dict", "required": True, "options": option},
        },
        supports_check_mode=True,
    )
    payload = {"options": module.params["options"], "dry": module.check_mode}
    try:
        answer = run_php(module, SCRIPT, payload)
        changed = list(answer["changed"])
        if answer["stale"] and not module.check_mode:
            changed += run_php(module, SCRIPT, payload)["changed"]
    except PhpError as error:
        module.fail_json(msg=f"options of the portal in {module.params['root']}: {error}")
    module.exit_json(changed=bool(changed), changed_options=sorted(set(changed)))


if __name__ == "__main__":
    main()
