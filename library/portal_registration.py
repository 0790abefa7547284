"""Ansible module: registration of a portal with the vendor's OAuth service."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.boxlift_php import PHP_ARGUMENTS, PhpError, run_php

DOCUMENTATION = r"""
module: portal_registration
short_description: Register a portal with the vendor, so that applications and outgoing webhooks can work
description:
  - Calls C(\Bitrix\Rest\OAuthService::register) of the portal, which needs the internet and a valid licence.
  - A portal that is registered is left alone, unless O(anew). When the service refuses or cannot be reached,
    what the portal knew before comes back and the module fails with the portal's own words.
options:
  root: {description: Document root of the release., type: path, required: true}
  user: {description: User that PHP runs as., type: str, default: portal}
  php: {description: The PHP command., type: str, default: php}
  anew: {description: Whether a registered portal is registered again., type: bool, default: false}
author: The boxlift authors
"""

EXAMPLES = r"""
- name: Register the box
  portal_registration:
    root: /srv/portal/releases/final-1
"""

RETURN = r"""
was_registered: {description: Whether the portal had a registration before., returned: always, type: bool}
"""

# Id, secret and the path of the REST server are bound to the portal that was registered: old ones go before
# new ones are asked for (portal_runtime D2, J4).
SCRIPT = r"""
if (!\Bitrix\Main\Loader::includeModule('rest')) {
    throw new \RuntimeException('the portal has no module rest');
}
$names = ['service_client_id', 'service_client_secret', 'server_path'];
$known = [];
foreach ($names as $name) {
    $known[$name] = \Bitrix\Main\Config\Option::getRealValue('rest', $name);
}
$result = ['was' => (string)$known['service_client_id'] !== '', 'registered' => true, 'problem' => ''];
if ($input['dry'] || ($result['was'] && !$input['anew'])) {
    $result['registered'] = $result['was'];
} else {
    foreach ($names as $name) {
        \Bitrix\Main\Config\Option::delete('rest', ['name' => $name]);
    }
    try {
        \Bitrix\Rest\OAuthService::register();
    } catch (\Throwable $thrown) {
        $result['problem'] = $thrown->getMessage() ?: get_class($thrown);
    }
    if ((string)\Bitrix\Main\Config\Option::get('rest', 'service_client_id', '') === '') {
        $result['registered'] = false;
        foreach (array_filter($known, 'is_string') as $name => $value) {
            \Bitrix\Main\Config\Option::set('rest', $name, $value);
        }
    }
}
"""


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={**PHP_ARGUMENTS, "anew": {"type": "bool", "default": False}}, supports_check_mode=True
    )
    given = module.params
    try:
        answer = run_php(module, SCRIPT, {"anew": given["anew"], "dry": module.check_mode})
    except PhpError as error:
        module.fail_json(msg=f"registration of the portal in {given['root']}: {error}")
    wanted = given["anew"] or not answer["was"]
    if wanted and not answer["registered"] and not module.check_mode:
        why = answer["problem"] or "the vendor's service gave no id"
        module.fail_json(
            msg=f"the portal could not be registered: {why}; it needs the internet (oauth.bitrix.info:443),"
            " its own address reachable from there, and a valid licence"
        )
    module.exit_json(changed=wanted, was_registered=answer["was"])


if __name__ == "__main__":
    main()
