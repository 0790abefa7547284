"""The JSON schema of docs/contracts from the models: `python -m boxlift.compare.contract FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path

from boxlift.compare.difference import Comparison
from boxlift.contract import Models, write

MODELS: Models = {"compare": ("boxlift compare A B --json", Comparison)}

if __name__ == "__main__":
    write(MODELS, Path(sys.argv[1]))
