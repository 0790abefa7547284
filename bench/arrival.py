"""`python -m bench.arrival`: the check of a part whose last byte has come, part after part."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bxbackup.evidence import check


def main() -> int:
    """Check all; returns 1 if one is damaged."""
    parser = argparse.ArgumentParser(prog="python -m bench.arrival", description=__doc__)
    parser.add_argument("parts", type=Path, nargs="+")
    errors = [check(path, path.name, None, None).error for path in parser.parse_args().parts]
    for error in filter(None, errors):
        sys.stderr.write(f"{error}\n")
    return 1 if any(errors) else 0


if __name__ == "__main__":
    sys.exit(main())
