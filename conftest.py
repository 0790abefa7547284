"""Makes `bxbackup` the distribution, before pytest takes the folder of the same name for the package."""

from __future__ import annotations

import importlib

importlib.import_module("bxbackup")
