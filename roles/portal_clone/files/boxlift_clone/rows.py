"""Every row of a file has its file: what the copy lacks, production lacks too."""

from __future__ import annotations

from boxlift_reader import sql, uploads
from boxlift_reader.order import Method

from .order import Order


def check(order: Order) -> uploads.Missing:
    """Compare rows and files. A copy without attachments has no file to be missed."""
    if not order.attachments:
        return uploads.Missing()
    physical = order.method is Method.PHYSICAL
    connection = sql.connect(order.folder / "client.cnf" if physical else order.options_file)
    try:
        return uploads.check(order, connection, order.own_database, order.root / order.upload)
    finally:
        connection.close()
