"""Ansible module: a package of Python modules on a host, written in one go."""

from __future__ import annotations

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: python_package
short_description: Write the modules of a program's package, and remove those that it has no more
description: One task a file would take longer than much that the program does.
options:
  path: {description: Folder of the package., type: path, required: true}
  modules: {description: Text of each module by its file name., type: dict, required: true}
author: The boxlift authors
"""

EXAMPLES = r"""
- name: Program
  python_package:
    path: /usr/local/lib/boxlift/boxlift_reader
    modules: {__init__.py: "", __main__.py: "print(1)"}
"""

RETURN = r"""
written: {description: Modules that were new or differed., returned: always, type: list}
removed: {description: Modules that the package has no more., returned: always, type: list}
"""


def differing(folder: Path, modules: dict[str, str]) -> tuple[list[str], list[str]]:
    """Modules to write and those to remove."""
    there = {path.name: path for path in folder.glob("*.py")}
    written = [
        name
        for name, text in sorted(modules.items())
        if name not in there or there[name].read_text(encoding="utf-8") != text
    ]
    return written, sorted(there.keys() - modules.keys())


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            # Not secret, but nothing for the host's journal.
            "modules": {"type": "dict", "required": True, "no_log": True},
        },
        supports_check_mode=True,
    )
    folder, modules = Path(module.params["path"]), module.params["modules"]
    try:
        written, removed = differing(folder, modules)
        if not module.check_mode:
            folder.mkdir(mode=0o755, parents=True, exist_ok=True)
            for name in written:
                fresh = folder / f".{name}.new"
                fresh.write_text(modules[name], encoding="utf-8")
                fresh.chmod(0o644)
                fresh.replace(folder / name)
            for name in removed:
                (folder / name).unlink()
    except (OSError, UnicodeDecodeError) as error:
        module.fail_json(msg=f"the program in {folder} cannot be written: {error}")
    module.exit_json(changed=bool(written or removed), written=written, removed=removed)


if __name__ == "__main__":
    main()
