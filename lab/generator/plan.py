"""How many of each thing make a portal of a given size."""

from dataclasses import dataclass
from datetime import datetime

DATABASE_SHARE = 0.3
FIXED_SQL_BYTES = 330_000
BYTES_PER_LEAD = 345
BYTES_PER_UNIT = 47_000_000
LEADS_PER_UNIT = 48_000
SMALLEST_SIZE = 2_000_000


@dataclass(frozen=True, slots=True)
class Plan:
    """Numbers of rows; `file_bytes` is the total of everything under upload/."""

    sql_bytes: int
    file_bytes: int
    leads: int
    activities: int
    timeline: int
    messages: int
    tasks: int
    calls: int
    log_entries: int
    employees: int
    chats: int
    contacts: int
    companies: int
    deals: int

    @classmethod
    def for_size(cls, size: int) -> "Plan":
        """A portal whose tables and files together take about `size` bytes before compression."""
        if size < SMALLEST_SIZE:
            raise ValueError(f"a portal takes at least {SMALLEST_SIZE} bytes, not {size}")
        sql_bytes = int(size * DATABASE_SHARE)
        low, high = 0.0, 1.0 + sql_bytes / BYTES_PER_UNIT
        for _ in range(60):
            unit = (low + high) / 2
            if cls._sql(unit) < sql_bytes:
                low = unit
            else:
                high = unit
        leads = cls._leads(low)
        return cls(
            sql_bytes=sql_bytes,
            file_bytes=size - sql_bytes,
            leads=leads,
            activities=max(60, int(16_000 * low)),
            timeline=max(60, int(36_000 * low)),
            messages=max(200, int(30_000 * low)),
            tasks=max(40, int(4_000 * cls._slowly(low))),
            calls=max(40, int(6_000 * low)),
            log_entries=max(40, int(3_000 * low)),
            employees=min(2_000, 40 + int(60 * low**0.5)),
            chats=max(12, int(300 * low**0.7)),
            contacts=max(20, leads * 9 // 100),
            companies=max(8, leads * 16 // 1000),
            deals=max(15, leads * 65 // 1000),
        )

    @staticmethod
    def _slowly(unit: float) -> float:
        """Leads and tasks grow slower than letters and messages once the portal is large."""
        return unit if unit < 1 else unit**0.6

    @classmethod
    def _leads(cls, unit: float) -> int:
        return max(250, int(LEADS_PER_UNIT * cls._slowly(unit)))

    @classmethod
    def _sql(cls, unit: float) -> float:
        return FIXED_SQL_BYTES + cls._leads(unit) * BYTES_PER_LEAD + unit * BYTES_PER_UNIT


@dataclass(frozen=True, slots=True)
class Settings:
    """What a caller chooses about a portal; `at` is the wall-clock moment of the backup."""

    size: int
    seed: int
    domain: str
    at: datetime
    collation: str
    uploads: str = "inside"
    portal_number: int = 6871201

    @property
    def mail_domain(self) -> str:
        """Where the employees' mailboxes are."""
        return f"{self.domain.split('.', 1)[0]}.example"
