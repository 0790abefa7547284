"""`python -m lab.cloud --folder DIR`: a backup server on loopback; with --world all of the outside world.

    python -m lab.cloud --folder backups --port 0 --scenario faults.yml
    python -m lab.cloud --folder backups --sign acme.tar.gz --lifetime 3600 --secret-file key

The first line printed is the address that it serves at; SIGTERM or Ctrl-C ends it.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import signal
import sys
from pathlib import Path

from lab.cloud import scenario, signature
from lab.cloud.backup import BackupServer
from lab.cloud.quantity import amount
from lab.cloud.scenario import Scenario, ScenarioError
from lab.cloud.world import Ports, World, listen

_USAGE = 2


def main() -> int:
    options = _parser().parse_args()
    if not options.folder.is_dir():
        sys.stderr.write(f"lab.cloud: no folder {options.folder}\n")
        return _USAGE
    secret = options.secret_file.read_text(encoding="utf-8").strip() if options.secret_file else ""
    if options.sign:
        base = f"http://{options.host}:{options.port}"
        _tell(signature.sign(options.base or base, options.sign, secret, options.lifetime))
        return 0
    try:
        played = scenario.load(options.scenario) if options.scenario else Scenario()
    except ScenarioError as error:
        sys.stderr.write(f"lab.cloud: {error}\n")
        return _USAGE
    if options.rate_connection or options.rate_total:
        played = dataclasses.replace(
            played,
            connection_rate=options.rate_connection or played.connection_rate,
            total_rate=options.rate_total or played.total_rate,
        )
    asyncio.run(_world(options) if options.world else _serve(options, played, secret))
    return 0


async def _serve(options: argparse.Namespace, played: Scenario, secret: str) -> None:
    server = BackupServer(options.folder, played=played, secret=secret)
    runner, port = await listen(options.host, options.port, [("/{path:.*}", server.handle)])
    _tell(f"http://{options.host}:{port}/")
    await _until_told()
    await runner.cleanup()


async def _world(options: argparse.Namespace) -> None:
    world = World(options.folder, options.host, Ports())
    await world.start()
    _tell(f"http://{options.host}/")
    await _until_told()
    await world.stop()


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def _until_told() -> None:
    told = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    await told.wait()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lab.cloud", description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True, help="what is served")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--scenario", type=Path, help="faults and rates, see lab/cloud/scenario.py")
    parser.add_argument(
        "--rate-connection", type=amount, default=0, metavar="RATE", help="as 2M: bytes a second"
    )
    parser.add_argument("--rate-total", type=amount, default=0, metavar="RATE")
    parser.add_argument("--secret-file", type=Path, help="serve signed links only")
    parser.add_argument("--sign", metavar="OBJECT", help="print a signed link and end")
    parser.add_argument("--base", help="what the signed link begins with")
    parser.add_argument("--lifetime", type=float, default=3600, metavar="SECONDS")
    parser.add_argument(
        "--world", action="store_true", help="backup/, cdn/ below the folder, mail and sinks too"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
