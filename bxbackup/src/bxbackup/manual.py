"""What `--help` and the manual page say besides the options: examples, exit codes, files, environment."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import typer

EXIT_CODES = {
    0: "done, and sound",
    1: "a fault of bxbackup itself; what was done is kept",
    2: "usage: the command, an option or a file named by one makes no sense",
    3: "damaged bytes; part, offset and what to do are said",
    4: "absent bytes, a source that cannot be reached, or a full disk: start the same command again later",
    5: "the backup is encrypted, and the password is missing or wrong",
    6: "refused as unsafe: a folder or database that is not this command's own, a hostile archive",
    7: "the database server refused or lost the work",
}
ENVIRONMENT = {
    "BXBACKUP_STATE": "the state folder, where --state is not given",
    "HTTPS_PROXY, HTTP_PROXY, NO_PROXY": "proxies for the transfer; both cases are understood",
    "SSL_CERT_FILE": "certificates to trust instead of the system's",
    "NO_COLOR": "set to anything: no colours",
    "COLUMNS": "width of the help and of the progress line",
}
_EVERYWHERE = ("NO_COLOR", "COLUMNS")
_WIDTH = 74


@dataclass(frozen=True)
class Page:
    """The rest of one command's manual.

    :param examples: what it does, and the command.
    :param exits: the exit codes that it can end with.
    :param files: path, and what it holds.
    :param environment: names from `ENVIRONMENT`, besides those that hold for every command.
    """

    examples: tuple[tuple[str, str], ...]
    exits: tuple[int, ...]
    files: tuple[tuple[str, str], ...] = ()
    environment: tuple[str, ...] = ()

    def sections(self) -> Iterator[tuple[str, tuple[tuple[str, str], ...]]]:
        """Title and entries of each section that has any."""
        yield "Exit codes", tuple((str(code), EXIT_CODES[code]) for code in self.exits)
        if self.files:
            yield "Files", self.files
        names = (*self.environment, *_EVERYWHERE)
        yield "Environment", tuple((name, ENVIRONMENT[name]) for name in names)

    def epilog(self) -> str:
        """The text below the options of `--help`; each block is kept as it stands."""
        lines = [line for what, command in self.examples for line in (*_comment(what), *_wrapped(command))]
        blocks = ["\n".join(["Examples:", *lines])]
        for title, entries in self.sections():
            blocks.append("\n".join([f"{title}:", *(line for entry in entries for line in _entry(*entry))]))
        return "\n\n".join(f"\b\n{block}" for block in blocks)


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent="  # ", subsequent_indent="  # ")


def _wrapped(command: str) -> list[str]:
    """A command in lines that a shell takes as one."""
    lines = textwrap.wrap(
        command, _WIDTH - 4, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
    )
    return [f"  {line} \\" for line in lines[:-1]] + [f"  {lines[-1]}"]


def _entry(name: str, text: str) -> list[str]:
    wide = 4
    if len(name) < wide:
        return textwrap.wrap(text, _WIDTH, initial_indent=f"  {name:<{wide}}", subsequent_indent="      ")
    return [f"  {name}", *textwrap.wrap(text, _WIDTH, initial_indent="      ", subsequent_indent="      ")]


_FILES_BESIDE = (
    (".NAME.bxbackup/", "the state folder, beside the folder NAME that is worked on; hold on to it to go on"),
)
_SAMPLE = "/backup/portal.tar.gz"

INSPECT = Page(
    examples=(
        ("What is this, and are all its parts there?", f"bxbackup inspect {_SAMPLE}"),
        ("The same for a program", f"bxbackup inspect {_SAMPLE} --json"),
    ),
    exits=(0, 1, 2, 3, 4),
)
VERIFY = Page(
    examples=(
        ("Is it whole?", f"bxbackup verify {_SAMPLE}"),
        (
            "An encrypted one, told to a program",
            "bxbackup verify /backup/20261120_180000_12345678.enc.gz --password-file password --json",
        ),
    ),
    exits=(0, 1, 2, 3, 4, 5, 6),
)
UNPACK = Page(
    examples=(
        ("Only the files", f"bxbackup unpack {_SAMPLE} --to /srv/files"),
        (
            "As root, for the user that PHP runs as",
            f"bxbackup unpack {_SAMPLE} --to /srv/portal --owner portal --group portal --file-mode 0640"
            " --folder-mode 0750",
        ),
    ),
    exits=(0, 1, 2, 3, 4, 5, 6),
    files=_FILES_BESIDE,
)
LOAD = Page(
    examples=(
        (
            "The dump of an unpacked backup into a new database",
            "bxbackup load /srv/files --database portal --defaults-file client.cnf",
        ),
    ),
    exits=(0, 1, 2, 3, 4, 6, 7),
    files=(
        (
            "NAME.sql",
            "the dump: one, in DIR or in bitrix/backup below it; its further files are NAME.sql.1, …",
        ),
        *_FILES_BESIDE,
        (".NAME.bxbackup/baseline.json", "figures of the loaded database before any portal ran on it"),
    ),
)
RESTORE = Page(
    examples=(
        (
            "All of it, from a link",
            "bxbackup restore @links --to /srv/portal/releases/final-1 --database portal_final_1"
            " --defaults-file client.cnf --password-file password --state /srv/portal/restores/final-1",
        ),
        (
            "It has expired: put a new one into the file links, then start the same command again",
            "bxbackup restore @links --to /srv/portal/releases/final-1 --database portal_final_1"
            " --defaults-file client.cnf --password-file password --state /srv/portal/restores/final-1",
        ),
        (
            "The final one after a rehearsal, whose uploads need no room again",
            "bxbackup restore @links --to /srv/portal/releases/final-1 --database portal_final_1"
            " --reuse-from /srv/portal/releases/rehearsal-1",
        ),
        (
            "On a line that others need by day",
            "bxbackup restore @links --to /srv/portal/releases/final-1 --database portal_final_1"
            " --limit 2M --between 20:00-07:00",
        ),
    ),
    exits=(0, 1, 2, 3, 4, 5, 6, 7),
    files=(
        ("STATE/status.json", "how far it is, replaced about once a second"),
        ("STATE/parts/, STATE/dump/", "what was fetched; the dump, which never goes below --to"),
        ("STATE/uploads-missing.json", "listed uploads that no mirror has"),
        ("STATE/uploads-compared.csv", "uploads that the database knows and that are missing or differ"),
        ("STATE/baseline.json", "figures of the loaded database before any portal ran on it"),
    ),
    environment=("BXBACKUP_STATE", "HTTPS_PROXY, HTTP_PROXY, NO_PROXY", "SSL_CERT_FILE"),
)
COMPARE = Page(
    examples=(
        (
            "Is every upload there that the database knows?",
            "bxbackup compare /srv/portal/releases/final-1 --database portal_final_1"
            " --defaults-file client.cnf --state /srv/portal/restores/final-1",
        ),
    ),
    exits=(0, 1, 2, 3, 4, 6, 7),
    files=(
        ("STATE/uploads-compared.csv", "each file that is missing or differs: kind, ID, path, sizes, MD5s"),
        ("STATE/uploads-compared.json", "the sums of the last comparison that came to its end"),
    ),
    environment=("BXBACKUP_STATE",),
)
SETTINGS = Page(
    examples=(
        (
            "The settings of a restored portal, with the account that PHP uses",
            "bxbackup settings /srv/portal/releases/final-1 --database portal_final_1"
            " --defaults-file portal.cnf",
        ),
    ),
    exits=(0, 1, 2, 3, 4, 6),
    files=((".settings.restore.php, dbconn.restore.php", "the archive's own, which stay"),),
)
STATUS = Page(
    examples=(("How far is it?", "bxbackup status --state /srv/portal/restores/final-1"),),
    exits=(0, 1, 2),
    files=(("STATE/status.json", "what is shown"),),
    environment=("BXBACKUP_STATE",),
)
ALL = Page(
    examples=(
        ("Is this backup whole?", f"bxbackup verify {_SAMPLE}"),
        ("More on a command", "bxbackup restore --help"),
        ("The manual page", "bxbackup manual > bxbackup.1"),
    ),
    exits=tuple(EXIT_CODES),
    environment=("BXBACKUP_STATE", "HTTPS_PROXY, HTTP_PROXY, NO_PROXY", "SSL_CERT_FILE"),
)
PAGES = {
    "inspect": INSPECT,
    "verify": VERIFY,
    "unpack": UNPACK,
    "load": LOAD,
    "restore": RESTORE,
    "compare": COMPARE,
    "settings": SETTINGS,
    "status": STATUS,
}


def roff(app: typer.Typer) -> str:
    """The manual page `bxbackup(1)`, made of what `--help` says."""
    root = typer.main.get_group(app)
    lines = [
        '.TH BXBACKUP 1 "" bxbackup "User commands"',
        *(".SH NAME", r"bxbackup \- " + _text(root.help or "").rstrip(".")),
        *(".SH SYNOPSIS", r"\fBbxbackup\fR \fICOMMAND\fR [\fIOPTIONS\fR]"),
        ".SH COMMANDS",
    ]
    for name, command in root.commands.items():
        if command.hidden:
            continue
        context = typer.Context(command, info_name=name)
        usage = " ".join(command.collect_usage_pieces(context))
        lines += [f'.SS "bxbackup {name} {_text(usage)}"', *_paragraphs(command.help or "")]
        for parameter in command.params:
            record = parameter.get_help_record(context)
            if record is not None and parameter.name != "help":
                lines += [".TP", rf"\fB{_text(record[0])}\fR", _text(record[1])]
        page = PAGES[name]
        lines += [".PP", "Examples:", ".nf"]
        lines += [_text(line) for what, example in page.examples for line in (f"# {what}", example)]
        lines += [".fi"]
        for title, entries in page.sections():
            if title == "Files":
                lines += _entries(entries)
    for title, entries in ALL.sections():
        lines += [f".SH {title.upper()}", *_entries(entries)]
    return "\n".join(lines) + "\n"


def _entries(entries: Iterable[tuple[str, str]]) -> Iterator[str]:
    for name, text in entries:
        yield from (".TP", rf"\fB{_text(name)}\fR", _text(text))


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in re.split(r"\n\s*\n", text):
        yield from (".PP", _text(" ".join(paragraph.split())))


def _text(text: str) -> str:
    """Text that roff shows as it stands, on one line."""
    plain = " ".join(text.split()).replace("\\", r"\e").replace("-", r"\-").replace('"', r"\(dq")
    return rf"\&{plain}" if plain.startswith((".", "'")) else plain
