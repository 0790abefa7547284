"""Command line: python -m lab.generator --size 200M --out DIR."""

import argparse
import re
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from lab.generator.build import BackupBuilder, Form
from lab.generator.plan import SMALLEST_SIZE, Settings
from lab.writer.tar import BLOCK

UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
DEFAULT_MOMENT = "2026-11-20 22:00:00"
COLLATION = "utf8mb4_0900_ai_ci"
FAILED = 1
INTERRUPTED = 130


def size(text: str) -> int:
    """Bytes of a text such as 65536, 512K, 200M, 30G."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([KMG]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; write 65536, 512K, 200M or 30G")
    return int(float(match[1]) * UNITS[match[2].upper()])


def _portal_size(text: str) -> int:
    value = size(text)
    if value < SMALLEST_SIZE:
        raise argparse.ArgumentTypeError(f"a portal takes at least {SMALLEST_SIZE} bytes")
    return value


def _part_limit(text: str) -> int:
    value = size(text)
    if value < BLOCK:
        raise argparse.ArgumentTypeError(f"a part holds at least {BLOCK} bytes")
    return value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lab.generator",
        description="Write the backup of a synthetic portal in the vendor's format, with a manifest.",
    )
    parser.add_argument(
        "--size",
        type=_portal_size,
        required=True,
        help="tables and files together before compression, e.g. 200M",
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="empty or absent folder for parts and manifest.json"
    )
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same bytes (default 1)")
    parser.add_argument("--domain", default="acme.bitrix24.example", help="the cloud portal's domain")
    parser.add_argument(
        "--at",
        type=datetime.fromisoformat,
        default=datetime.fromisoformat(DEFAULT_MOMENT),
        help=f"wall-clock moment of the backup (default {DEFAULT_MOMENT})",
    )
    parser.add_argument("--encrypt", action="store_true", help="write an encrypted archive")
    parser.add_argument("--password-file", type=Path, help="file whose first line is the archive's password")
    parser.add_argument("--cipher", choices=("aes", "blowfish"), default="aes")
    parser.add_argument("--no-gzip", action="store_true", help="write volumes without compression")
    parser.add_argument(
        "--part-limit",
        type=_part_limit,
        default=100 << 20,
        help="uncompressed bytes of a part (default 100M)",
    )
    parser.add_argument(
        "--dump-limit", type=size, help="bytes of a dump file (default: two files, at most the vendor's 2 GB)"
    )
    parser.add_argument("--uploads", choices=("inside", "cdn"), default="inside", help="where uploads are")
    parser.add_argument(
        "--kernel", type=Path, help="folder or tar.gz of the portal's code to put into the archive"
    )
    parser.add_argument(
        "--sessions", type=int, default=5, help="write sessions, one gzip member each (default 5)"
    )
    parser.add_argument("--collation", default=COLLATION, help=f"default {COLLATION}, as MySQL 8 has")
    parser.add_argument(
        "--skip-logs", action="store_true", help="write log and search tables without rows, as an option does"
    )
    parser.add_argument("--quiet", action="store_true", help="print the summary only")
    return parser


def _password(path: Path) -> str:
    lines = path.read_text(encoding="utf-8").splitlines()
    if not lines or not lines[0]:
        raise ValueError(f"the first line of {path} is empty")
    return lines[0]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 done, 1 failed, 2 wrong usage, 130 interrupted."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.encrypt != (options.password_file is not None):
        parser.error("--encrypt and --password-file belong together")
    settings = Settings(
        size=options.size,
        seed=options.seed,
        domain=options.domain,
        at=options.at,
        collation=options.collation,
        uploads=options.uploads,
    )

    def tell(message: str) -> None:
        if not options.quiet:
            sys.stderr.write(f"{message}\n")

    try:
        form = Form(
            part_limit=options.part_limit,
            gzipped=not options.no_gzip,
            password=_password(options.password_file) if options.encrypt else None,
            cipher=options.cipher,
            sessions=max(1, options.sessions),
            dump_limit=options.dump_limit,
            skip_logs=options.skip_logs,
            kernel=options.kernel,
        )
        built = BackupBuilder(settings, form, options.out, tell).build()
    except (OSError, ValueError) as error:
        sys.stderr.write(f"error: {error}\n")
        return FAILED
    except KeyboardInterrupt:
        sys.stderr.write(f"interrupted; remove {options.out} before the next run\n")
        return INTERRUPTED
    sys.stdout.write(
        f"{options.out / built.first_part}: {built.parts} parts, {built.size} bytes "
        f"({built.tar_bytes} uncompressed), {built.tables} tables, {built.rows} rows, "
        f"{built.files} files, {built.seconds} s\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
