"""Run one playbook with ansible-runner: exact command and environment, nothing left behind."""

from __future__ import annotations

import errno
import json
import os
import queue
import shlex
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_runner import Runner
from ansible_runner.config.runner import RunnerConfig

from boxlift.errors import BoxliftError
from boxlift.project.vault import write_private
from boxlift.runner.environment import filtered

Event = Mapping[str, Any]
KILLED = -9
_OF_RUNNER = (
    "ANSIBLE_CALLBACK_PLUGINS",
    "ANSIBLE_RETRY_FILES_ENABLED",
    "ANSIBLE_STDOUT_CALLBACK",
    "AWX_ISOLATED_DATA_DIR",
    "RUNNER_OMIT_EVENTS",
    "RUNNER_ONLY_FAILED_EVENTS",
)
"""What ansible-runner sets for its own callback plugin (lab_hosts, ansible-runner 2.4.3)."""
_CANCEL_POLL = 1
"""Seconds until ansible-runner looks again whether it is to stop."""


@dataclass(frozen=True)
class Order:
    """All that decides a call of ansible-playbook. `trial` is check mode with diffs."""

    playbook: Path
    inventory: Path
    content: Path
    project: Path
    folder: Path
    vault_password: Path
    variables: Mapping[str, Any] = field(default_factory=dict)
    trial: bool = False


def prepared(order: Order, base: Mapping[str, str]) -> RunnerConfig:
    """ansible-runner's configuration, with exactly our command and environment.

    The folder must be new: variables of an earlier run would stay in force (lab_hosts).
    """
    if not order.playbook.is_file():
        raise BoxliftError(f"the playbook {order.playbook} is missing from this installation")
    write_private(order.folder / "env" / "extravars", json.dumps(dict(order.variables)))
    options = ["--vault-password-file", str(order.vault_password)]
    if order.trial:
        options += ["--check", "--diff"]
    config = RunnerConfig(
        private_data_dir=str(order.folder),
        project_dir=str(order.project),
        playbook=str(order.playbook),
        inventory=str(order.inventory),
        cmdline=shlex.join(options),
        ident="ansible",
        fact_cache_type="memory",
    )
    config.prepare()
    config.suppress_output_file = True
    config.suppress_ansible_output = True
    config.pexpect_timeout = _CANCEL_POLL
    config.env = filtered(base, order.content, order.folder) | {
        name: config.env[name] for name in _OF_RUNNER if name in config.env
    }
    return config


class PlaybookRun:
    """ansible-playbook in a thread of its own; iterate over `events`, then read `return_code`."""

    def __init__(self, order: Order, base: Mapping[str, str] = os.environ) -> None:
        self._queue: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._cancel = threading.Event()
        self._crash: BaseException | None = None
        config = prepared(order, base)
        self._runner = Runner(config, event_handler=self._put, cancel_callback=self._cancel.is_set)
        self._thread = threading.Thread(target=self._work, name="ansible-runner", daemon=True)
        self._thread.start()

    def _put(self, event: Event) -> bool:
        self._queue.put(dict(event))
        # false: ansible-runner keeps no copy of the event, which may hold secrets, on disk
        return False

    def _work(self) -> None:
        try:
            self._runner.run()
        except BaseException as error:  # noqa: BLE001
            self._crash = error
        finally:
            self._queue.put(None)

    def events(self, idle: Callable[[], None], tick: float = 0.5) -> Iterator[Event]:
        """Events as they come; `idle` is called at least every `tick` seconds without one."""
        while True:
            try:
                event = self._queue.get(timeout=tick)
            except queue.Empty:
                idle()
                continue
            if event is None:
                return
            yield event

    def cancel(self) -> None:
        """Kill ansible-playbook. What a task has started on a host goes on there."""
        self._cancel.set()

    @property
    def return_code(self) -> int:
        """ansible-playbook's, KILLED where a signal ended it; only after the events have ended."""
        self._thread.join()
        if isinstance(self._crash, OSError) and self._crash.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise BoxliftError(
                "the disk of the project is full: ansible-playbook's events cannot be kept, so it was ended",
                cure="what it started on a host goes on there; make room, then run the step again",
            ) from self._crash
        if self._crash is not None:
            raise BoxliftError(f"ansible-runner broke: {self._crash}") from self._crash
        return KILLED if self._runner.rc is None else int(self._runner.rc)


def remove_work_folders(run: Path) -> None:
    """Remove variables, command files, event files: what a run, also a killed one, left beside its log."""
    for path in run.iterdir() if run.is_dir() else ():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
