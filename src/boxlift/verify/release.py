"""A release of the portal on its hosts: folder, restore state, database."""

from __future__ import annotations

from dataclasses import dataclass

from testinfra.host import Host

COPIES = "/var/lib/boxlift/clones"
"""Where a copy that has a database server of its own says how that is reached (role portal_clone)."""
OPTIONS = "/etc/boxlift/database.cnf"
"""Where the host says how its own server is reached (role database_client)."""


@dataclass(frozen=True)
class Database:
    """Queries as the database administrator, as the host reaches its server.

    :param options_file: client option file of another server than that.
    """

    host: Host
    name: str
    options_file: str = OPTIONS

    def rows(self, statement: str) -> list[list[str]]:
        """Rows of a query, columns as text; NULL is the text ``NULL``."""
        output: str = self.host.check_output(
            "mariadb --defaults-file=%s --default-character-set=utf8mb4 --batch --skip-column-names --raw %s"
            " --execute %s",
            self.options_file,
            self.name,
            statement,
        )
        return [line.split("\t") for line in output.splitlines()]

    def value(self, statement: str) -> str:
        """The only value of a query.

        Raises:
            LookupError: the query gave no row.
        """
        rows = self.rows(statement)
        if not rows:
            raise LookupError(f"no row: {statement}")
        return rows[0][0]

    def digest(self, statement: str) -> str:
        """MD5 of what the client prints for a query, times in UTC."""
        output: str = self.host.check_output(
            "sh -c %s sh %s %s %s",
            'mariadb --defaults-file="$1" --default-character-set=utf8mb4 -N -B "$2" -e "$3" | md5sum',
            self.options_file,
            self.name,
            f"SET time_zone='+00:00'; {statement}",
        )
        return output.split(maxsplit=1)[0]

    def tables(self) -> set[str]:
        return {row[0] for row in self.rows("SHOW TABLES")}


@dataclass(frozen=True)
class Release:
    """One release of a portal: its folder, its restore's state folder, its database."""

    name: str
    root: str
    state: str
    database: Database

    @classmethod
    def on(cls, database: Host, name: str) -> Release:
        """The release of that name, its database on the given server."""
        own = f"{COPIES}/{name}/client.cnf"
        return cls(
            name=name,
            root=f"/srv/portal/releases/{name}",
            state=f"/srv/portal/restores/{name}",
            database=Database(
                database, f"portal_{name.replace('-', '_')}", own if database.file(own).exists else OPTIONS
            ),
        )
