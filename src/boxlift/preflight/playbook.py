"""One playbook of a check: run for what it says, outside of any step, and nothing of it left on disk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from boxlift.content import content_root
from boxlift.project import Project
from boxlift.runner import process
from boxlift.runner.playbook import Order, PlaybookRun, remove_work_folders


@contextmanager
def running(
    project: Project, name: str, playbook: str, variables: Mapping[str, object]
) -> Iterator[PlaybookRun]:
    """Start a playbook of boxlift's in the folder `name` of the runs; hold the project's lock."""
    content = content_root()
    folder = project.runs / name
    remove_work_folders(folder)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    order = Order(
        playbook=content / "playbooks" / playbook,
        inventory=project.inventory,
        content=content,
        project=project.root,
        folder=folder / "work",
        vault_password=project.vault().path,
        variables=variables,
    )
    try:
        yield PlaybookRun(order)
    finally:
        process.end(folder)
        remove_work_folders(folder)
        folder.rmdir()
