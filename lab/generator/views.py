"""Views of the portal: no new server has their definer, and one names the source's database."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from lab.generator.crm import Crm
from lab.writer.rows import Row

DEFINER = "bx_cloud@%"
SOURCE_DATABASE = "b24_acme"
DAILY = (
    "CREATE ALGORITHM=UNDEFINED DEFINER=`bx_cloud`@`%` SQL SECURITY DEFINER VIEW `v_sample_lead_daily` AS "
    "select cast(`b_crm_lead`.`DATE_CREATE` as date) AS `D`,count(0) AS `CNT`,"
    "sum(`b_crm_lead`.`OPPORTUNITY`) AS `SUMM` from `b_crm_lead` "
    "where `b_crm_lead`.`STATUS_ID` <> 'JUNK;x' group by cast(`b_crm_lead`.`DATE_CREATE` as date)"
)
SOURCES = (
    "CREATE ALGORITHM=UNDEFINED DEFINER=`bx_cloud`@`%` SQL SECURITY DEFINER VIEW `v_sample_lead_source` AS "
    "select `b24_acme`.`b_crm_lead`.`SOURCE_ID` AS `SOURCE_ID`,count(0) AS `CNT` "
    "from `b_crm_lead` group by `b24_acme`.`b_crm_lead`.`SOURCE_ID`"
)


@dataclass(frozen=True, slots=True)
class View:
    """A view and what it shows after the import; take `rows` when all tables are written."""

    name: str
    ddl: str
    order_by: tuple[str, ...]
    rows: Callable[[], Iterator[Row]]


def views(crm: Crm) -> tuple[View, ...]:
    """All views, in the order of the dump."""
    return (
        View("v_sample_lead_daily", DAILY, ("`D`", "`CNT`", "`SUMM`"), crm.daily_rows),
        View("v_sample_lead_source", SOURCES, ("BINARY `SOURCE_ID`", "`CNT`"), crm.source_rows),
    )
