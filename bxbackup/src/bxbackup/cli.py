"""The command `bxbackup`."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import shlex
import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from bxbackup import commands, manual
from bxbackup.depth import Depth
from bxbackup.durable import write_failure
from bxbackup.errors import BackupError, RefusedError
from bxbackup.ownership import parse_ownership
from bxbackup.report import print_failure
from bxbackup.source import shown

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_KEPT = 32 << 20

app = typer.Typer(
    name="bxbackup",
    help="Reads, verifies and restores backups of Bitrix24 and 1C-Bitrix.",
    epilog=manual.ALL.epilog(),
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Archive = Annotated[
    Path,
    typer.Argument(
        metavar="ARCHIVE",
        help="Path of the first volume, or of the folder that holds the volumes. The others are found beside "
        "it by their numbers.",
    ),
]
PasswordFile = Annotated[
    Path | None,
    typer.Option(
        "--password-file",
        metavar="FILE",
        help="File whose first line is the backup's password, in UTF-8; case and spaces matter. "
        "By default none.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text; no progress.")]
To = Annotated[
    Path,
    typer.Option(
        "--to",
        metavar="DIR",
        help="Folder to fill: absent, empty, or begun with the same state folder.",
    ),
]
Database = Annotated[
    str,
    typer.Option(
        "--database",
        metavar="NAME",
        help="Database to fill: absent, empty, or begun with the same state folder.",
    ),
]
DefaultsFile = Annotated[
    Path | None,
    typer.Option(
        "--defaults-file",
        metavar="FILE",
        help="MariaDB client option file with the server's address and account. By default this user, over "
        "the socket /run/mysqld/mysqld.sock.",
    ),
]
Collation = Annotated[
    str | None,
    typer.Option(
        "--collation",
        metavar="C",
        help="The one collation for everything. By default the dump's own where the server has it, else "
        "utf8mb4_uca1400_nopad_ai_ci.",
    ),
]
TimeZone = Annotated[
    str,
    typer.Option(
        "--time-zone",
        metavar="Z",
        help="Time zone of the sessions that load, as the server names it; TIMESTAMP columns depend on it.",
    ),
]
StateFolder = Annotated[
    Path,
    typer.Option(
        "--state",
        metavar="DIR",
        envvar="BXBACKUP_STATE",
        help="State folder: parts, dumps, progress; never below --to. The same one goes on with a restore.",
    ),
]
Owner = Annotated[
    str | None,
    typer.Option(
        "--owner",
        metavar="USER",
        help="Who is to own the unpacked files, by name or number; another than oneself only as root. "
        "By default the caller.",
    ),
]
Group = Annotated[
    str | None,
    typer.Option(
        "--group",
        metavar="GROUP",
        help="Their group, by name or number; one's own groups, or any as root. By default the caller's.",
    ),
]
FileMode = Annotated[
    str | None,
    typer.Option(
        "--file-mode",
        metavar="MODE",
        help="Octal mode of unpacked files, never executable; settings and dumps get 0600 whatever is asked. "
        "By default 0644 less the umask.",
    ),
]
FolderMode = Annotated[
    str | None,
    typer.Option(
        "--folder-mode",
        metavar="MODE",
        help="Octal mode of folders. By default 0755 less the umask.",
    ),
]
ReuseFrom = Annotated[
    Path | None,
    typer.Option(
        "--reuse-from",
        metavar="DIR",
        help="An earlier release: its uploads become hard links here where they are the same, byte for byte "
        "(listed ones: by the mirror's MD5 ETag), with the same owner and mode. By default none.",
    ),
]
Compare = Annotated[
    Depth,
    typer.Option(
        "--compare",
        help="How closely to look at the uploads at the end: by size and, where the portal keeps it, by MD5; "
        "by size alone; or not at all. What differs is reported; after a restore, content "
        "that differs is suspect.",
    ),
]
DEFAULT_STATE = Path("bxbackup-state")


def _version(asked: bool) -> None:
    if asked:
        # takes longer to import than all of ours
        typer.echo(import_module("importlib.metadata").version("bxbackup"))
        raise typer.Exit


@app.callback()
def options(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Reads, verifies and restores backups of Bitrix24 and 1C-Bitrix."""


@app.command(epilog=manual.INSPECT.epilog())
def inspect(archive: Archive, json: Json = False) -> None:
    """Say what a backup is: form, parts, sizes, encryption.

    Reads only the beginning of each part: takes a moment and needs no password. Whether the parts are whole
    is what verify finds out.
    """
    raise typer.Exit(commands.inspect(archive, json=json))


@app.command(epilog=manual.VERIFY.epilog())
def verify(archive: Archive, password_file: PasswordFile = None, json: Json = False) -> None:
    """Read every byte of a backup, write nothing, and say how sound it is.

    All parts are read even if one is bad, so that one run names every bad part. Checked are each gzip
    member's checksum, the sizes in the format's own marks, the headers of all entries, and the end line of
    the database dump. The evidence that speaks for a part is named: etag, crc+bx, crc or
    structure, from strong to weak.
    """
    raise typer.Exit(commands.verify(archive, password_file, json=json))


@app.command(epilog=manual.UNPACK.epilog())
def unpack(
    archive: Archive,
    to: To,
    *,
    password_file: PasswordFile = None,
    owner: Owner = None,
    group: Group = None,
    file_mode: FileMode = None,
    folder_mode: FolderMode = None,
    reuse_from: ReuseFrom = None,
) -> None:
    """Unpack a backup's files and dump; needs no database.

    Stopped at any moment, the same command goes on after the last whole part. Settings come under side names
    (.settings.restore.php, dbconn.restore.php, .htaccess.restore); restore.php is left out. No link is
    made or followed, nothing is executable, and nothing leaves the folder.
    """
    ownership = parse_ownership(owner, group, file_mode, folder_mode)
    raise typer.Exit(commands.unpack(archive, to, password_file, ownership, reuse_from))


@app.command(epilog=manual.LOAD.epilog())
def load(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder that holds an unpacked backup, or just the dump.")
    ],
    *,
    database: Database,
    defaults_file: DefaultsFile = None,
    collation: Collation = None,
    time_zone: TimeZone = "+00:00",
    compare: Compare = Depth.HASHES,
) -> None:
    """Load the dump of an unpacked backup into a database of its own.

    Stopped at any moment, the same command goes on where it was, inside of a table too. Rows come first,
    secondary indexes after; a dump without its end line is refused before the first statement.
    """
    raise typer.Exit(commands.load(folder, database, defaults_file, collation, time_zone, depth=compare))


@app.command(epilog=manual.RESTORE.epilog())
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
            "--connections",
            metavar="N",
            min=1,
            max=64,
            help="How many at once. By default as many as measurably help, at most 32; 4 to begin with.",
        ),
    ] = None,
    limit: Annotated[
        str | None,
        typer.Option(
            "--limit",
            metavar="RATE",
            help="Cap for all connections together in bytes per second; K, M, G are 1000, 1000000, … . "
            "By default none.",
        ),
    ] = None,
    between: Annotated[
        str | None,
        typer.Option(
            "--between",
            metavar="HH:MM-HH:MM",
            help="Fetch only at this time of day, by this machine's clock; unpacking and loading go on. "
            "By default always.",
        ),
    ] = None,
    collation: Collation = None,
    time_zone: TimeZone = "+00:00",
    state: StateFolder = DEFAULT_STATE,
    patience: Annotated[
        float,
        typer.Option(
            "--patience",
            metavar="SECONDS",
            min=0,
            help="How long to try without getting a single byte.",
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
            help="End well though files changed while the backup was written, or uploads differ from the MD5 "
            "that the portal keeps; they are reported.",
        ),
    ] = False,
    owner: Owner = None,
    group: Group = None,
    file_mode: FileMode = None,
    folder_mode: FolderMode = None,
    compare: Compare = Depth.HASHES,
    reuse_from: ReuseFrom = None,
    json: Json = False,
) -> None:
    """Fetch, verify, unpack and load a backup, all at once.

    Stopped at any moment, by kill -9 too, the same command goes on where it was; with a new SOURCE as well,
    for parts are known by name, size and ETag, never by URL. Files go below --to, settings under side names;
    parts and the dump stay in the state folder.
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
            ownership=parse_ownership(owner, group, file_mode, folder_mode),
            depth=compare,
            reuse_from=reuse_from,
            json=json,
        )
    )


@app.command(hidden=True, name="manual")
def print_manual() -> None:
    """Print the manual page bxbackup(1) for man."""
    typer.echo(manual.roff(app), nl=False)


@app.command(epilog=manual.COMPARE.epilog())
def compare(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that holds a portal.")],
    *,
    database: Annotated[str, typer.Option("--database", metavar="NAME", help="The portal's database.")],
    defaults_file: DefaultsFile = None,
    by: Annotated[
        Depth,
        typer.Option(
            "--by",
            help="How closely to look: by size and, where the portal keeps one, MD5; or by size alone.",
        ),
    ] = Depth.HASHES,
    state: Annotated[
        Path | None,
        typer.Option(
            "--state",
            metavar="DIR",
            envvar="BXBACKUP_STATE",
            help="Where the list of differences goes: the state folder of the restore. "
            "By default .NAME.bxbackup beside DIR.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Compare a portal's uploads with what its database says of them; change nothing.

    Each file that the database knows is looked for, its size compared and, where the portal keeps an MD5
    (table b_file_hash), its content. Said are files that are missing, that lie in a bucket of the cloud only,
    that differ, and how many no row names. Stopped at any moment, the same command goes on.
    """
    raise typer.Exit(commands.compare(folder, database, defaults_file, by, state, json=json))


@app.command(epilog=manual.SETTINGS.epilog())
def settings(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder that a backup was restored to.")],
    *,
    database: Annotated[str, typer.Option("--database", metavar="NAME", help="The portal's database.")],
    defaults_file: DefaultsFile = None,
) -> None:
    """Write a restored portal's settings: the archive's own, with this database and account.

    Needed before a portal can run, for the backup masks its accounts. Written are .settings.php and
    dbconn.php from the side files beside them; only the default connection changes, and the key of
    encrypted columns stays. Told is what still names the source's servers: look at it before the first
    request. Settings that stand are never replaced.
    """
    raise typer.Exit(commands.settings(folder, database, defaults_file))


@app.command(epilog=manual.STATUS.epilog())
def status(state: StateFolder = DEFAULT_STATE, json: Json = False) -> None:
    """Say how far a restore is, whether it runs or not."""
    raise typer.Exit(commands.status(state, json=json))


def _again() -> str | None:
    """The command to go on with, without anything secret."""
    if sys.argv[1:2] not in (["restore"], ["unpack"], ["load"], ["compare"]):
        return None
    return shlex.join(["bxbackup", *(shown(word) for word in sys.argv[1:])])


def _keep_freed_memory() -> None:
    """Let glibc keep freed pieces of a few MiB for the next ones.

    By itself it gives them back to the system and takes them anew, page by page: a sixth of a verify.
    """
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        for setting in (_TRIM_THRESHOLD, _MMAP_THRESHOLD):
            library.mallopt(setting, _KEPT)


def main() -> None:
    """Run the command and exit with the contract's code."""
    _keep_freed_memory()
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
