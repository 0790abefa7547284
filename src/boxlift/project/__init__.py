"""The project folder on the control node: settings, inventory, secrets, lock."""

from boxlift.project.backup import Backup
from boxlift.project.folder import Answers, Project, Settings, create, find, keep_private, load
from boxlift.project.lock import RunnerLock
from boxlift.project.vault import VaultSource, complete, new_secrets

__all__ = [
    "Answers",
    "Backup",
    "Project",
    "RunnerLock",
    "Settings",
    "VaultSource",
    "complete",
    "create",
    "find",
    "keep_private",
    "load",
    "new_secrets",
]
