"""Ansible module: employees whose password lives in the vendor's network."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.boxlift_people import People
from ansible.module_utils.boxlift_php import PHP_ARGUMENTS, PhpError, run_php
from ansible.module_utils.boxlift_sql import PYMYSQL_ERROR, SQL_ARGUMENTS, Database, SqlError

DOCUMENTATION = r"""
module: portal_people
short_description: Give employees of the cloud an account with a password of the portal's own
description:
  - Finds active employees whose account belongs to the vendor's network and empties their EXTERNAL_AUTH_ID
    through C(CUser::Update). Bots, mail users, invitations and other accounts are left alone.
  - An employee whose login the portal does not take, as somebody else has it, gets the one of O(logins).
  - Remembers in the database C(boxlift) what the account was before.
options:
  root: {description: Document root of the release., type: path, required: true}
  user: {description: User that PHP runs as., type: str, default: portal}
  php: {description: The PHP command., type: str, default: php}
  release: {description: Release., type: str, required: true}
  database: {description: Database of the release., type: str, required: true}
  logins:
    description: Other logins by ID of the user, for those whose own the portal does not take.
    type: dict
    default: {}
  config_file: {description: Client option file., type: path, default: /etc/boxlift/database.cnf}
author: The boxlift authors
"""

EXAMPLES = r"""
- name: Give employees a local account
  portal_people:
    root: /srv/portal/current
    release: final-1
    database: portal_final_1
"""

RETURN = r"""
switched: {description: IDs of users that were switched., returned: always, type: list}
failed_people: {description: "Users that were not switched: id, login, why.", returned: always, type: list}
"""

# LOGIN is passed as well: the portal checks that it is unique only when it is among the fields (G).
SCRIPT = r"""
$result = [];
foreach ($input as $person) {
    foreach ($person['logins'] as $login) {
        $user = new \CUser;
        if ($user->Update($person['id'], ['EXTERNAL_AUTH_ID' => '', 'LOGIN' => $login])) {
            $problem = '';
            break;
        }
        $problem = trim(preg_replace('/\s+/u', ' ', strip_tags((string)$user->LAST_ERROR))) ?: 'refused';
    }
    $result[] = ['id' => $person['id'], 'problem' => $problem];
}
"""


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **PHP_ARGUMENTS,
            **SQL_ARGUMENTS,
            "release": {"type": "str", "required": True},
            "database": {"type": "str", "required": True},
            "logins": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    if PYMYSQL_ERROR:
        module.fail_json(msg="this host lacks python3-pymysql", exception=PYMYSQL_ERROR)
    try:
        database = Database(module.params)
        people = People(database, module.params["release"], module.params["database"])
        found = people.network()
        if module.check_mode or not found:
            switched = [person.id for person in found]
            module.exit_json(changed=bool(found), switched=switched, failed_people=[])
        people.prepare()
        for person in found:
            people.enter(person)
        database.commit()
        others = {str(user): str(login) for user, login in module.params["logins"].items()}
        answers = run_php(
            module,
            SCRIPT,
            [
                {"id": person.id, "logins": [person.login, *filter(None, [others.get(str(person.id))])]}
                for person in found
            ],
        )
        for answer in answers:
            people.note_switch(answer["id"], answer["problem"])
        database.commit()
    except (SqlError, PhpError) as error:
        module.fail_json(msg=f"employees of {module.params['release']}: {error}")
    logins = {person.id: person.login for person in found}
    module.exit_json(
        changed=any(not answer["problem"] for answer in answers),
        switched=[answer["id"] for answer in answers if not answer["problem"]],
        failed_people=[
            {"id": answer["id"], "login": logins[answer["id"]], "why": answer["problem"]}
            for answer in answers
            if answer["problem"]
        ],
    )


if __name__ == "__main__":
    main()
