"""The command `bxbackup`."""

from __future__ import annotations

import logging
import shlex
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from bxbackup import commands
from bxbackup.durable import write_failure
from bxbackup.errors import BackupError, RefusedError
from bxbackup.report import print_failure
from bxbackup.source import shown

app = typer.Typer(
    name="bxbackup",
    help="Reads, verifies and restores backups of Bitrix24 and 1C-Bitrix.",
    epilog=(
        "Exit codes: 0 done and sound, 1 a fault of bxbackup, 2 usage, 3 damaged bytes, "
        "4 absent bytes or source (can be gone on with), 5 password, 6 refused as unsafe, 7 database."
    ),
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Archive = Annotated[
    Path,
    typer.Argument(
        metavar="ARCHIVE", help="Path of the first volume, or of the folder that holds the volumes."
    ),
]
PasswordFile = Annotated[
    Path | None,
    typer.Option("--password-file", metavar="FILE", help="File whose first line is the backup's password."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
To = Annotated[
    Path, typer.Option("--to", metavar="DIR", help="Folder to fill: absent, empty, or begun by this command.")
]
Database = Annotated[
    str,
    typer.Option(
        "--database", metavar="NAME", help="Database to fill: absent, empty, or begun by this command."
    ),
]
DefaultsFile = Annotated[
    Path | None,
    typer.Option(
        "--defaults-file",
        metavar="FILE",
        help="MariaDB client option file with the server's address and account.",
    ),
]
Collation = Annotated[
    str | None,
    typer.Option(
        "--collation",
        metavar="C",
        help="The one collation for everything; by default the dump's own, where the server has it.",
    ),
]
TimeZone = Annotated[
    str,
    typer.Option(
        "--time-zone", metavar="Z", help="Session time zone of the load; TIMESTAMP columns depend on it."
    ),
]
StateFolder = Annotated[
    Path,
    typer.Option(
        "--state",
        metavar="DIR",
        envvar="BXBACKUP_STATE",
        help="Folder for parts, dumps and progress; never below --to.",
    ),
]
DEFAULT_STATE = Path("bxbackup-state")


def _version(asked: bool) -> None:
    if asked:
        typer.echo(version("bxbackup"))
        raise typer.Exit


@app.callback()
def options(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Reads, verifies and restores backups of Bitrix24 and 1C-Bitrix."""


@app.command()
def inspect(archive: Archive, json: Json = False) -> None:
    """Say what a backup is: form, parts, sizes, encryption. Reads only the beginnings; needs no password."""
    raise typer.Exit(commands.inspect(archive, json=json))


@app.command()
def verify(archive: Archive, password_file: PasswordFile = None, json: Json = False) -> None:
    """Read every byte of a backup, write nothing, and say how sound it is."""
    raise typer.Exit(commands.verify(archive, password_file, json=json))


@app.command()
def unpack(archive: Archive, to: To, password_file: PasswordFile = None) -> None:
    """Unpack a backup. Stopped at any moment, the same command goes on after the last whole part."""
    raise typer.Exit(commands.unpack(archive, to, password_file))


@app.command()
def load(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder that holds an unpacked backup.")],
    database: Database,
    defaults_file: DefaultsFile = None,
    collation: Collation = None,
    time_zone: TimeZone = "+00:00",
) -> None:
    """Load the dump of an unpacked backup. Stopped at any moment, the same command goes on."""
    raise typer.Exit(commands.load(folder, database, defaults_file, collation, time_zone))


@app.command()
def restore(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="Path or URL of the first volume, or @FILE with one URL a line. A presigned URL is a "
            "secret: keep it in a file of mode 0600.",
        ),
    ],
    *,
    to: To,
    database: Database,
    defaults_file: DefaultsFile = None,
    password_file: PasswordFile = None,
    connections: Annotated[
        int | None,
        typer.Option(
            "--connections", metavar="N", min=1, max=64, help="How many at once; by default as many as help."
        ),
    ] = None,
    limit: Annotated[
        str | None, typer.Option("--limit", metavar="RATE", help="Bytes per second, for example 800K or 2M.")
    ] = None,
    between: Annotated[
        str | None,
        typer.Option(
            "--between",
            metavar="HH:MM-HH:MM",
            help="Fetch only at this time of day, by this machine's clock.",
        ),
    ] = None,
    collation: Collation = None,
    time_zone: TimeZone = "+00:00",
    state: StateFolder = DEFAULT_STATE,
    patience: Annotated[
        float,
        typer.Option(
            "--patience", metavar="SECONDS", min=0, help="How long to try without getting a single byte."
        ),
    ] = 600.0,
    uploads_from: Annotated[
        list[str] | None,
        typer.Option(
            "--uploads-from",
            metavar="URL",
            help="Base URL of a mirror of the files that the backup only lists; may be given several times. "
            "By default the vendor's mirrors.",
        ),
    ] = None,
    allow_missing_uploads: Annotated[
        bool,
        typer.Option(
            "--allow-missing-uploads",
            help="End well though no mirror has some listed files; they are reported.",
        ),
    ] = False,
    allow_suspect_files: Annotated[
        bool,
        typer.Option(
            "--allow-suspect-files",
            help="End well though files changed while the backup was written; report them.",
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Fetch, verify, unpack and load a backup, all at once.

    Stopped at any moment, by kill -9 too, the same command goes on where it was.
    """
    raise typer.Exit(
        commands.restore(
            source,
            to=to,
            database=database,
            defaults_file=defaults_file,
            password_file=password_file,
            connections=connections,
            limit=limit,
            between=between,
            collation=collation,
            time_zone=time_zone,
            state_folder=state,
            patience=patience,
            uploads_from=uploads_from or [],
            allow_missing_uploads=allow_missing_uploads,
            allow_suspect_files=allow_suspect_files,
            json=json,
        )
    )


@app.command()
def status(state: StateFolder = DEFAULT_STATE, json: Json = False) -> None:
    """Say how far a restore is."""
    raise typer.Exit(commands.status(state, json=json))


def _again() -> str | None:
    """The command to go on with, without anything secret."""
    if sys.argv[1:2] not in (["restore"], ["unpack"], ["load"]):
        return None
    return shlex.join(["bxbackup", *(shown(word) for word in sys.argv[1:])])


def main() -> None:
    """Run the command and exit with the contract's code."""
    doing = next((word for word in sys.argv[1:] if not word.startswith("-")), "bxbackup")
    try:
        app()
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 0
    except BackupError as error:
        print_failure(doing, error, None if isinstance(error, RefusedError) else _again())
        code = error.exit_code
    except OSError as error:
        failure = write_failure(Path(), error)
        print_failure(doing, failure, _again())
        code = failure.exit_code
    except Exception:
        logging.getLogger("bxbackup").exception("a fault of bxbackup; nothing that was done is lost")
        code = 1
    sys.exit(code)
