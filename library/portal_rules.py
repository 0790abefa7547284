"""Ansible module: rules that hold rows of a portal's database at a value."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.boxlift_names import present_names
from ansible.module_utils.boxlift_rules import Holder, Rule, RuleError
from ansible.module_utils.boxlift_sql import PYMYSQL_ERROR, SQL_ARGUMENTS, Database, SqlError

DOCUMENTATION = r"""
module: portal_rules
short_description: Hold rows and options of a portal's database at a value, and give the old ones back
description:
  - Works on the database alone, so that a restored portal is changed before any of its own code runs.
  - Old values are kept in the database C(boxlift) of the same server. Given back, they have the portal's
    present name where they had a former one.
  - A rule whose table or columns are absent does not apply.
  - One call is one transaction.
options:
  state:
    description:
      - C(held) holds what the rules name, C(returned) gives back what opening shall bring back,
        C(counted) counts the rows that are still to be held.
    type: str
    choices: [held, returned, counted]
    default: held
  release: {description: Release whose old values are kept under this name., type: str, required: true}
  database: {description: Database of the release., type: str, required: true}
  remember:
    description: >-
      Keep old values. Not for a copy, which never gives anything back: they are passwords and tokens of
      somebody else.
    type: bool
    default: true
  known:
    description: Rules that may miss their table though it has rows, because somebody has looked at it.
    type: list
    elements: str
    default: []
  rules: {description: "The rules; see the role portal_quiet.", type: list, elements: dict, required: true}
  config_file: {description: Client option file., type: path, default: /etc/boxlift/database.cnf}
author: The boxlift authors
"""

EXAMPLES = r"""
- name: Stop the agents
  portal_rules:
    release: final-1
    database: portal_final_1
    rules:
      - id: agents
        option: {module: main, name: check_agents}
        value: "N"
        reason: agents act on the outside world
        opening: {set: "Y"}
"""

RETURN = r"""
rules:
  description: >-
    What each rule did: rule, table, rows, applies, kept, lacks (what the portal's tables lack for it),
    exposed (rows of a table that is there and that the rule could not touch), former (what was given back
    with a former name of the portal, because it could not be rewritten safely).
  returned: always
  type: list
rows: {description: Sum of rows over all rules., returned: always, type: int}
loud: {description: Rules with rows to hold., returned: always, type: list}
inapplicable: {description: Rules whose table or columns the portal lacks., returned: always, type: list}
exposed:
  description: Of these, the rules whose table is there and has rows, with what they lack, without O(known).
  returned: always
  type: list
"""


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **SQL_ARGUMENTS,
            "state": {"type": "str", "choices": ["held", "returned", "counted"], "default": "held"},
            "release": {"type": "str", "required": True},
            "database": {"type": "str", "required": True},
            "rules": {"type": "list", "elements": "dict", "required": True},
            "remember": {"type": "bool", "default": True},
            "known": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    if PYMYSQL_ERROR:
        module.fail_json(msg="this host lacks python3-pymysql", exception=PYMYSQL_ERROR)
    try:
        rules = [Rule.parse(raw) for raw in module.params["rules"]]
        database = Database(module.params)
        if not database.has_database(module.params["database"]):
            if not module.check_mode:
                module.fail_json(msg=f"there is no database {module.params['database']}")
            outcomes = []
        else:
            holder = Holder(
                database,
                module.params["release"],
                module.params["database"],
                remember=module.params["remember"],
            )
            if module.params["state"] == "counted":
                outcomes = holder.count(rules)
            elif module.params["state"] == "held":
                outcomes = holder.hold(rules, dry=module.check_mode)
            else:
                names = present_names(database, module.params["database"])
                outcomes = holder.give_back(
                    rules, dry=module.check_mode, put=names.put_into if names is not None else None
                )
            database.commit()
    except (SqlError, RuleError) as error:
        module.fail_json(msg=f"rules on {module.params['database']}: {error}")
    rows = sum(outcome.rows for outcome in outcomes)
    module.exit_json(
        changed=rows > 0 and module.params["state"] != "counted",
        rows=rows,
        rules=[outcome.as_dict() for outcome in outcomes],
        loud=[outcome.rule for outcome in outcomes if outcome.rows],
        inapplicable=[outcome.rule for outcome in outcomes if not outcome.applies],
        exposed=[
            f"{outcome.rule} ({', '.join(outcome.lacks)}; {outcome.exposed} rows)"
            for outcome in outcomes
            if outcome.exposed and outcome.rule not in module.params["known"]
        ],
    )


if __name__ == "__main__":
    main()
