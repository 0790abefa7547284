"""Ansible module: an administrator of the portal with a password of our own."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.boxlift_php import PHP_ARGUMENTS, PhpError, run_php
from ansible.module_utils.boxlift_sql import PYMYSQL_ERROR, SQL_ARGUMENTS, Database, SqlError, quoted

DOCUMENTATION = r"""
module: portal_administrator
short_description: Keep an account of an administrator in a portal
description:
  - A restored portal knows the passwords of the cloud's users at best, those of the vendor's network not at
    all. This account lets the people who move the portal look into it.
  - An account with this login that is not local, or not an administrator, is refused, never taken over.
options:
  root: {description: Document root of the release., type: path, required: true}
  user: {description: User that PHP runs as., type: str, default: portal}
  php: {description: The PHP command., type: str, default: php}
  database: {description: Database of the release., type: str, required: true}
  login: {description: Login of the account., type: str, required: true}
  password: {description: Its password., type: str, required: true}
  email: {description: Its address., type: str, required: true}
  config_file: {description: Client option file., type: path, default: /etc/boxlift/database.cnf}
author: The boxlift authors
"""

EXAMPLES = r"""
- name: Keep the team's account
  portal_administrator:
    root: /srv/portal/current
    database: portal_final_1
    login: boxlift
    password: "{{ vault_portal_admin_password }}"
    email: admin@example.com
"""

RETURN = r"""
account: {description: ID of the account; none where check mode would make it., returned: always, type: int}
"""

# portal_runtime B: group 1 are the administrators. G: PASSWORD is crypt SHA-512, so crypt() can compare.
SCRIPT = r"""
$user = new \CUser;
$id = $input['id'];
$fits = $id !== null && crypt($input['password'], $input['stored']) === $input['stored'] && $input['active'];
if ($fits) {
    $result = ['id' => $id, 'changed' => false, 'problem' => ''];
} elseif ($input['dry']) {
    $result = ['id' => $id, 'changed' => true, 'problem' => ''];
} else {
    $fields = ['LOGIN' => $input['login'], 'PASSWORD' => $input['password'],
        'CONFIRM_PASSWORD' => $input['password'], 'ACTIVE' => 'Y'];
    if ($id === null) {
        $fields += ['EMAIL' => $input['email'], 'GROUP_ID' => [1]];
        $id = $user->Add($fields) ?: null;
        $done = $id !== null;
    } else {
        $done = $user->Update($id, $fields);
    }
    $problem = $done ? '' : (strip_tags((string)$user->LAST_ERROR) ?: 'refused');
    $result = ['id' => $id, 'changed' => $done, 'problem' => $problem];
}
"""


def account(database: Database, name: str, login: str) -> dict[str, Any]:
    """State of the account with that login: id (None where absent), stored password, whether it is active.

    Raises:
        SqlError: another kind of account has that login.
    """
    found = database.rows(
        "SELECT u.ID, u.PASSWORD, u.ACTIVE, COALESCE(u.EXTERNAL_AUTH_ID, ''), g.GROUP_ID IS NOT NULL"
        f" FROM {quoted(name)}.b_user u"
        f" LEFT JOIN {quoted(name)}.b_user_group g ON g.USER_ID = u.ID AND g.GROUP_ID = 1"
        " WHERE u.LOGIN = %s",
        [login],
    )
    for identifier, stored, active, external, administrator in found:
        if external:
            continue
        if administrator != "1":
            raise SqlError(
                f"user {identifier} has the login {login!r} and is no administrator: choose another"
            )
        return {"id": int(identifier), "stored": stored, "active": active == "Y"}
    return {"id": None, "stored": "", "active": False}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **PHP_ARGUMENTS,
            **SQL_ARGUMENTS,
            "database": {"type": "str", "required": True},
            "login": {"type": "str", "required": True},
            "password": {"type": "str", "required": True, "no_log": True},
            "email": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    if PYMYSQL_ERROR:
        module.fail_json(msg="this host lacks python3-pymysql", exception=PYMYSQL_ERROR)
    wanted = {key: module.params[key] for key in ("login", "password", "email")}
    try:
        standing = account(Database(module.params), module.params["database"], module.params["login"])
        answer = run_php(module, SCRIPT, {**wanted, **standing, "dry": module.check_mode})
    except (SqlError, PhpError) as error:
        module.fail_json(msg=f"the administrator of {module.params['root']}: {error}")
    if answer["problem"]:
        module.fail_json(msg=f"the portal refuses the administrator {wanted['login']!r}: {answer['problem']}")
    module.exit_json(changed=answer["changed"], account=answer["id"])


if __name__ == "__main__":
    main()
