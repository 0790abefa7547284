"""Lets tests import our Ansible modules: on a host their shared code is part of ansible.module_utils."""

from __future__ import annotations

from pathlib import Path

import ansible.module_utils

ansible.module_utils.__path__.append(str(Path(__file__).parent.parent / "module_utils"))
