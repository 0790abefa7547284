"""Names of backups and their volumes (backup_format 1.1 to 1.4)."""

from datetime import datetime

SERVER_NAME_LIMIT = 20


def part_name(first: str, number: int) -> str:
    """Name of volume `number`; volume 0 has no number."""
    return first if number == 0 else f"{first}.{number}"


def extension(*, encrypted: bool, gzipped: bool) -> str:
    """Ending of the first volume: encryption replaces `.tar` by `.enc`."""
    return (".enc" if encrypted else ".tar") + (".gz" if gzipped else "")


def ordinary_base(server_name: str, started: datetime, random_part: str) -> str:
    """Base name of a backup kept on the server itself (backup_format 1.3)."""
    return f"{server_name[:SERVER_NAME_LIMIT]}_{started:%Y%m%d_%H%M%S}_full_{random_part}"


def cloud_base(started: datetime, digits: str) -> str:
    """Base name of a backup kept in the vendor's bucket, which is always encrypted (backup_format 1.4)."""
    return f"{started:%Y%m%d_%H%M%S}_{digits}"
