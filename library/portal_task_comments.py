"""Ansible module: what the comments of a portal's tasks need."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.boxlift_sql import PYMYSQL_ERROR, SQL_ARGUMENTS, Database, SqlError
from ansible.module_utils.boxlift_tasks import TaskComments

DOCUMENTATION = r"""
module: portal_task_comments
short_description: Look whether the comments of a portal's tasks can be shown
description:
  - Old comments of tasks are messages of a forum that C(tasks/task_forum_id) names, new ones a chat.
  - Works on the database alone and changes nothing. A portal without these tables has nothing to look at.
options:
  database: {description: Database of the release., type: str, required: true}
  config_file: {description: Client option file., type: path, default: /etc/boxlift/database.cnf}
author: The boxlift authors
"""

EXAMPLES = r"""
- name: Look at the comments of tasks
  portal_task_comments:
    database: portal_final_1
"""

RETURN = r"""
forum:
  description: >-
    Forum that the option names (C(named)), whether it exists (C(exists)), and the forum that holds most
    discussions of tasks (C(right), 0 where none does).
  returned: always
  type: dict
lost_topics: {description: Tasks whose discussion is missing., returned: always, type: list}
lost_chats: {description: Tasks whose chat is missing., returned: always, type: list}
"""


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={**SQL_ARGUMENTS, "database": {"type": "str", "required": True}},
        supports_check_mode=True,
    )
    if PYMYSQL_ERROR:
        module.fail_json(msg="this host lacks python3-pymysql", exception=PYMYSQL_ERROR)
    try:
        comments = TaskComments(Database(module.params), module.params["database"])
        found: dict[str, Any] = {
            "forum": asdict(comments.forum()),
            "lost_topics": comments.lost_topics(),
            "lost_chats": comments.lost_chats(),
        }
    except SqlError as error:
        module.fail_json(msg=f"comments of tasks in {module.params['database']}: {error}")
    module.exit_json(changed=False, **found)


if __name__ == "__main__":
    main()
