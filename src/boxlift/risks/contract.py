"""The JSON schemas of docs/contracts that come from models: `python -m boxlift.risks.contract FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path

from boxlift.contract import Models, write
from boxlift.risks.lead import LeadView
from boxlift.risks.view import RiskView

MODELS: Models = {
    "risks": ("boxlift risks --json", RiskView),
    "leads": ("boxlift risks --leads --json", LeadView),
}

if __name__ == "__main__":
    write(MODELS, Path(sys.argv[1]))
