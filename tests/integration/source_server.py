"""Database servers of the tests' own, one of them with the portal that is pulled."""

from __future__ import annotations

import getpass
import subprocess
import time
from pathlib import Path
from typing import Any

import pymysql
from programs import program

from tests.integration import mariadb

ME = getpass.getuser()
OLD = "portal_final_1"
TABLES = """
CREATE TABLE b_file (ID INT PRIMARY KEY AUTO_INCREMENT, SUBDIR VARCHAR(255), FILE_NAME VARCHAR(255),
  FILE_SIZE BIGINT, HANDLER_ID VARCHAR(50));
CREATE TABLE b_text (ID INT PRIMARY KEY AUTO_INCREMENT, BODY LONGTEXT, FULLTEXT KEY BODY (BODY));
CREATE TABLE b_blob (ID INT PRIMARY KEY, BODY LONGBLOB) ROW_FORMAT=COMPRESSED;
CREATE TABLE b_old (ID INT PRIMARY KEY, WORD VARCHAR(50)) ENGINE=MyISAM;
CREATE TABLE b_parent (ID INT PRIMARY KEY) ENGINE=InnoDB;
CREATE TABLE b_child (ID INT PRIMARY KEY, PARENT INT,
  FOREIGN KEY (PARENT) REFERENCES b_parent (ID) ON DELETE CASCADE);
CREATE TABLE `b_with-dash` (ID INT PRIMARY KEY);
CREATE TRIGGER b_text_insert BEFORE INSERT ON b_text FOR EACH ROW SET NEW.BODY = TRIM(NEW.BODY);
CREATE VIEW b_view AS SELECT ID FROM b_text;
INSERT INTO b_text (BODY) VALUES ('привет 🙂'), ('second');
INSERT INTO b_blob VALUES (1, REPEAT(UNHEX('00FF27'), 10000));
INSERT INTO b_old VALUES (1, 'old');
INSERT INTO b_parent VALUES (1), (2);
INSERT INTO b_child VALUES (1, 1), (2, 2);
"""


class Server:
    """A MariaDB in a folder."""

    def __init__(self, folder: Path, settings: tuple[str, ...] = ()) -> None:
        self.folder, self.socket = folder, folder / "s.sock"
        self.options = folder / "client.cnf"
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None

    def make(self) -> None:
        self.folder.mkdir()
        mariadb.install(self.folder / "data")
        self.options.write_text(f"[client]\nsocket={self.socket}\nuser=root\n")

    def start(self, *words: str) -> None:
        own = words or (
            "--no-defaults",
            f"--datadir={self.folder / 'data'}",
            f"--socket={self.socket}",
            f"--pid-file={self.folder / 'pid'}",
            "--skip-networking",
            "--innodb-buffer-pool-size=32M",
            *self._settings,
        )
        server = program("mariadbd", "mariadb-server-core")
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [server, *own, f"--user={ME}", f"--tmpdir={self.folder}"], stdout=log, stderr=log
            )
        for _ in range(300):
            try:
                self.connect().close()
            except pymysql.MySQLError:
                time.sleep(0.1)
            else:
                return
        raise RuntimeError((self.folder / "log").read_text()[-3000:])

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(60)

    def connect(self, database: str | None = None) -> pymysql.Connection[Any]:
        return pymysql.connect(unix_socket=str(self.socket), user="root", database=database, autocommit=True)

    def run(self, statements: str, database: str | None = None) -> None:
        subprocess.run(
            [
                "mariadb",
                f"--defaults-file={self.options}",
                "--default-character-set=utf8mb4",
                *([database] if database else []),
            ],
            input=statements,
            text=True,
            check=True,
        )

    def rows(self, statement: str, database: str | None = None) -> list[tuple[Any, ...]]:
        with self.connect(database) as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())

    def sums(self, database: str) -> dict[str, int]:
        tables = [
            name for name, kind in self.rows(f"SHOW FULL TABLES FROM {database}") if kind == "BASE TABLE"
        ]
        return {name: self.rows(f"CHECKSUM TABLE {database}.`{name}`")[0][1] for name in tables}
