"""The JSON schemas of docs/contracts that come from models: `python -m boxlift.forecast.contract FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path

from boxlift.contract import Models, write
from boxlift.forecast.arrivals import ArrivalPattern
from boxlift.forecast.result import Forecast

MODELS: Models = {
    "arrivals": ("evidence/arrivals.json of a project", ArrivalPattern),
    "forecast": ("boxlift forecast --json", Forecast),
}

if __name__ == "__main__":
    write(MODELS, Path(sys.argv[1]))
