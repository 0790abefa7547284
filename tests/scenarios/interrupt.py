"""`python -m tests.scenarios.interrupt TASK PLAYBOOK [OPTION…]`: kill ansible-playbook in a task's midst.

What it has started on the control node is killed with it, SSH included, as when the machine goes down.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

_TELLING = {"ANSIBLE_DISPLAY_OK_HOSTS": "true", "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "true"}
"""Without these a task is told of when it has ended."""
IN_THE_MIDST = 1.0
"""Seconds that a task gets before it is cut off: long enough to have begun on the host."""


def main() -> int:
    task, *words = sys.argv[1:]
    with subprocess.Popen(
        ["ansible-playbook", *words],
        env={**os.environ, **_TELLING},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as run:
        assert run.stdout is not None
        told = []
        try:
            for line in run.stdout:
                told.append(line)
                if line.startswith(f"TASK [{task}]"):
                    time.sleep(IN_THE_MIDST)
                    sys.stdout.write(f"killed in: {task}\n")
                    return 0
        finally:
            os.killpg(run.pid, signal.SIGKILL)
    sys.stderr.write(f"it never came to: {task}\n{''.join(told)[-3000:]}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
