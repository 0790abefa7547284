"""Definitions: taken apart, put together, translated; what is quoted never changes."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bxbackup.collation import DEFAULT, Translator
from bxbackup.ddl import KeyKind, add_keys, beyond_its_database, parse_table, rewrite_view, tokens
from bxbackup.errors import DamagedError

TABLE = """CREATE TABLE `b_user` (
  `ID` int(18) NOT NULL AUTO_INCREMENT,
  `LOGIN` varchar(50) NOT NULL COMMENT 'a) KEY `x` (`y`), it''s; COLLATE utf8mb4_0900_ai_ci',
  `FLAGS` enum('a,b','c)') DEFAULT 'a,b',
  `PRICE` decimal(18,2) DEFAULT NULL CHECK (`PRICE` > 0),
  `NOTE` text DEFAULT NULL,
  PRIMARY KEY (`ID`),
  UNIQUE KEY `ix_login` (`LOGIN`,`NOTE`(100)),
  KEY `ix_desc` (`PRICE` DESC) USING BTREE COMMENT 'k, (v)',
  FULLTEXT KEY `ft_1` (`NOTE`),
  FULLTEXT KEY `ft_2` (`LOGIN`,`NOTE`),
  CONSTRAINT `fk` FOREIGN KEY (`ID`) REFERENCES `other` (`ID`) ON DELETE CASCADE,
  CONSTRAINT `positive` CHECK (`PRICE` > 0 and `NOTE` <> ',')
) ENGINE=InnoDB AUTO_INCREMENT=7 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci COMMENT='t, (u)'"""


@settings(deadline=None)
@given(st.text(alphabet=st.sampled_from("ab1 \n\\'\"`(),;.=@$é-"), max_size=60))
def test_tokens_are_the_text(text: str) -> None:
    assert "".join(tokens(text)) == text


@pytest.mark.parametrize("quote", ["'", '"', "`"])
def test_a_quoted_text_without_an_end_is_one_token(quote: str) -> None:
    text = quote + f"\\{quote}" * 300_000
    assert len(tokens(text)) <= 300_001
    assert "".join(tokens(text)) == text


def test_a_table_is_taken_apart() -> None:
    table = parse_table(TABLE)
    assert (table.name, table.engine) == ("b_user", "innodb")
    assert [(column.name, column.type) for column in table.columns] == [
        ("ID", "int"),
        ("LOGIN", "varchar"),
        ("FLAGS", "enum"),
        ("PRICE", "decimal"),
        ("NOTE", "text"),
    ]
    assert [(key.kind, key.name, key.parts) for key in table.keys] == [
        (KeyKind.PRIMARY, "", (("ID", None),)),
        (KeyKind.UNIQUE, "ix_login", (("LOGIN", None), ("NOTE", 100))),
        (KeyKind.PLAIN, "ix_desc", (("PRICE", None),)),
        (KeyKind.FULLTEXT, "ft_1", (("NOTE", None),)),
        (KeyKind.FULLTEXT, "ft_2", (("LOGIN", None), ("NOTE", None))),
        (KeyKind.FOREIGN, "fk", (("ID", None),)),
    ]
    assert [key.name for key in table.late_keys()] == ["ix_login", "ix_desc", "ft_1", "ft_2", "fk"]
    assert "FOREIGN KEY" not in table.with_all_keys()
    bare = table.without_late_keys()
    assert "ft_1" not in bare
    assert "PRIMARY KEY (`ID`)" in bare
    assert "CONSTRAINT `positive` CHECK" in bare
    assert bare.endswith("COMMENT='t, (u)'")


def test_names_need_no_quotes() -> None:
    table = parse_table(
        "CREATE TABLE `t` (\n  ID int NOT NULL AUTO_INCREMENT,\n  a varchar(50),\n  period int,\n"
        "  PRIMARY KEY (ID),\n  UNIQUE KEY ux USING BTREE (a(10), period),\n  INDEX (a),\n"
        "  CONSTRAINT fk FOREIGN KEY (a) REFERENCES o (b),\n  CONSTRAINT c CHECK (a > 0)\n) ENGINE=InnoDB"
    )
    assert [(column.name, column.auto_increment) for column in table.columns] == [
        ("ID", True),
        ("a", False),
        ("period", False),
    ]
    assert [(key.kind, key.name, key.parts) for key in table.keys] == [
        (KeyKind.PRIMARY, "", (("ID", None),)),
        (KeyKind.UNIQUE, "ux", (("a", 10), ("period", None))),
        (KeyKind.PLAIN, "", (("a", None),)),
        (KeyKind.FOREIGN, "fk", (("a", None),)),
    ]
    assert [key.name for key in table.late_keys()] == ["ux", "fk"]


def test_fulltext_keys_are_made_first_and_one_at_a_time() -> None:
    statements = [text for text, _ in add_keys("b_user", parse_table(TABLE).late_keys())]
    assert statements[0] == "ALTER TABLE `b_user` ADD FULLTEXT KEY `ft_1` (`NOTE`)"
    assert [text.count("ADD ") for text in statements] == [1, 1, 3]


@pytest.mark.parametrize(
    ("keys", "late"),
    [
        ("PRIMARY KEY (`A`),\n  UNIQUE KEY `u` (`B`),\n  KEY `k` (`B`)", ["u", "k"]),
        ("CONSTRAINT `p` PRIMARY KEY (`A`),\n  CONSTRAINT `u` UNIQUE (`B`)", ["u"]),
        ("UNIQUE KEY `u` (`B`),\n  KEY `k` (`B`)", ["k"]),
        ("PRIMARY KEY (`B`,`A`),\n  KEY `k` (`B`),\n  KEY `count` (`A`)", ["k"]),
        ("PRIMARY KEY (`B`),\n  UNIQUE KEY `count` (`A`),\n  UNIQUE KEY `u` (`A`,`B`)", ["u"]),
    ],
)
def test_keys_that_rows_need_are_not_late(keys: str, late: list[str]) -> None:
    table = parse_table(
        "CREATE TABLE `t` (\n  `A` int(11) NOT NULL AUTO_INCREMENT,\n  `B` int(11) NOT NULL,\n  "
        + keys
        + "\n) X"
    )
    assert [key.name for key in table.late_keys()] == late


@pytest.mark.parametrize("text", ["CREATE TABLE `t`", "CREATE TABLE `t` (\n  `A` int(11"])
def test_half_a_definition_is_damage(text: str) -> None:
    with pytest.raises(DamagedError, match="table t"):
        parse_table(text)


VIEW = "CREATE OR REPLACE SQL SECURITY INVOKER VIEW"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "CREATE ALGORITHM=MERGE DEFINER=`bx_cloud`@`%` SQL SECURITY DEFINER VIEW `v` AS select"
            " cast(`smp_m`.`b_lead`.`D` as date) AS `D` from `b_lead` where `b_lead`.`S` <> 'x`.`b_lead`'",
            "CREATE OR REPLACE ALGORITHM=MERGE SQL SECURITY INVOKER VIEW `v` AS select"
            " cast(`b_lead`.`D` as date) AS `D` from `b_lead` where `b_lead`.`S` <> 'x`.`b_lead`'",
        ),
        (
            "CREATE DEFINER='a'@'b' VIEW `v` AS select `l`.`ID` AS `ID` from (`src`.`b_lead` `l` join"
            " `src`.`b_user` on(`l`.`U` = `src`.`b_user`.`ID`))",
            f"{VIEW} `v` AS select `l`.`ID` AS `ID` from (`b_lead` `l` join"
            " `b_user` on(`l`.`U` = `b_user`.`ID`))",
        ),
        (
            "CREATE VIEW `v` AS select `b_user`.`b_lead` AS `x` from `b_user`",
            f"{VIEW} `v` AS select `b_user`.`b_lead` AS `x` from `b_user`",
        ),
        (
            "CREATE VIEW `v` AS select `t`.`b_lead` AS `x` from `b_user` `t`",
            f"{VIEW} `v` AS select `t`.`b_lead` AS `x` from `b_user` `t`",
        ),
        (
            "CREATE VIEW `v` AS select 1 AS `x` from `elsewhere`.`foreign`",
            f"{VIEW} `v` AS select 1 AS `x` from `elsewhere`.`foreign`",
        ),
    ],
)
def test_a_view_forgets_its_source(text: str, expected: str) -> None:
    assert rewrite_view(text, {"b_lead", "b_user", "v"}) == expected


MARIADB = {
    *(
        "utf8mb4_unicode_ci",
        "utf8mb4_general_ci",
        "utf8mb4_bin",
        "utf8mb4_nopad_bin",
        "utf8mb4_unicode_520_ci",
    ),
    *("utf8mb3_unicode_ci", "utf8mb3_general_ci", "utf8mb3_bin", "cp1251_general_ci", DEFAULT),
    *("utf8mb4_uca1400_nopad_as_ci", "utf8mb4_uca1400_nopad_as_cs"),
}
MYSQL = {"utf8mb4_0900_ai_ci", "utf8mb4_0900_bin", "utf8mb4_unicode_ci", "utf8mb4_general_ci", "utf8mb4_bin"}
CHARSETS = {"utf8mb4", "utf8mb3", "cp1251"}


@pytest.mark.parametrize(
    ("chosen", "name", "expected"),
    [
        (None, "utf8mb4_unicode_ci", "utf8mb4_unicode_ci"),
        (None, "utf8_unicode_ci", "utf8_unicode_ci"),
        (None, "utf8mb4_0900_ai_ci", DEFAULT),
        (None, "utf8mb4_ru_0900_ai_ci", DEFAULT),
        (None, "utf8mb4_0900_as_cs", "utf8mb4_uca1400_nopad_as_cs"),
        (None, "utf8mb4_0900_as_ci", "utf8mb4_uca1400_nopad_as_ci"),
        (None, "utf8mb4_0900_bin", "utf8mb4_nopad_bin"),
        (DEFAULT, "utf8mb4_unicode_ci", DEFAULT),
        (DEFAULT, "utf8_general_ci", DEFAULT),
        (DEFAULT, "utf8_bin", "utf8mb4_bin"),
        (DEFAULT, "utf8mb4_bin", "utf8mb4_bin"),
        (DEFAULT, "cp1251_general_ci", "cp1251_general_ci"),
    ],
)
def test_collations_for_mariadb(chosen: str | None, name: str, expected: str) -> None:
    assert Translator(MARIADB, CHARSETS, chosen).collation(name) == expected


@pytest.mark.parametrize("name", sorted(MYSQL))
def test_mysql_is_loaded_as_the_dump_is(name: str) -> None:
    translator = Translator(MYSQL, CHARSETS, None)
    text = f"CREATE TABLE `t` (`a` text) DEFAULT CHARSET=utf8mb4 COLLATE={name}"
    assert translator.table(text) == text
    assert translator.replaced == {}


@pytest.mark.parametrize(
    ("chosen", "text", "expected"),
    [
        (
            None,
            "`a` text CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_ai_ci COMMENT 'COLLATE utf8mb4_0900_ai_ci'",
            f"`a` text CHARACTER SET utf8mb4 COLLATE {DEFAULT} COMMENT 'COLLATE utf8mb4_0900_ai_ci'",
        ),
        (None, ") DEFAULT CHARSET=utf8mb4", ") DEFAULT CHARSET=utf8mb4 COLLATE utf8mb4_general_ci"),
        (None, ") DEFAULT CHARSET=cp1251", ") DEFAULT CHARSET=cp1251"),
        (DEFAULT, ") DEFAULT CHARSET=utf8", f") DEFAULT CHARSET=utf8mb4 COLLATE {DEFAULT}"),
        (
            DEFAULT,
            "`a` varchar(9) CHARACTER SET utf8 COLLATE utf8_bin NOT NULL, `COLLATE` int",
            "`a` varchar(9) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, `COLLATE` int",
        ),
        (None, ") ENGINE=InnoDB row_format = compact", ") ENGINE=InnoDB row_format = DYNAMIC"),
        (None, ") ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=8", ") ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=8"),
        (None, "ALTER DATABASE `x` COLLATE 'utf8mb4_0900_ai_ci'", f"ALTER DATABASE `x` COLLATE {DEFAULT}"),
    ],
)
def test_definitions_are_translated(chosen: str | None, text: str, expected: str) -> None:
    assert Translator(MARIADB, CHARSETS, chosen).table(text) == expected


def test_a_view_keeps_what_the_server_knows() -> None:
    text = "VIEW `v` AS select _utf8mb4'a' collate utf8mb4_unicode_ci, `b` collate utf8mb4_0900_ai_ci AS `c`"
    assert Translator(MARIADB, CHARSETS, DEFAULT).view(text) == text.replace("utf8mb4_0900_ai_ci", DEFAULT)


@settings(deadline=None, max_examples=200)
@given(
    st.lists(
        st.one_of(
            st.sampled_from(
                [
                    "COLLATE utf8mb4_0900_ai_ci",
                    "CHARACTER SET utf8",
                    "DEFAULT CHARSET=utf8mb4",
                    "`COLLATE`",
                    "ROW_FORMAT=REDUNDANT",
                    "int",
                    ",",
                ]
            ),
            st.text(max_size=12).map(
                lambda text: "'COLLATE utf8_bin" + text.replace("\\", "\\\\").replace("'", "''") + "'"
            ),
        ),
        max_size=8,
    ),
    st.sampled_from([None, DEFAULT]),
)
def test_what_is_quoted_never_changes(parts: list[str], chosen: str | None) -> None:
    text = " ".join(parts)
    translated = Translator(MARIADB, CHARSETS, chosen).table(text)
    quoted = re.compile(r"'(?:[^'\\]|\\.|'')*'|`[^`]*`", re.DOTALL)
    assert quoted.findall(translated) == quoted.findall(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("(`a` int) ENGINE=InnoDB DATA DIRECTORY='/srv/x'", "DIRECTORY"),
        ("(`a` int) ENGINE=MyISAM INDEX DIRECTORY='/srv/x'", "DIRECTORY"),
        ("(`a` int) ENGINE=FEDERATED CONNECTION='mysql://h/d/t'", "engine FEDERATED"),
        ("(`a` int) COMMENT='ENGINE=InnoDB' ENGINE `CONNECT`", "engine CONNECT"),
        ("(`a` int) ENGINE=InnoDB ENGINE = 'spider'", "engine SPIDER"),
        ("(`a` int) ENGINE=MRG_MyISAM UNION=(`u`)", "engine MRG_MYISAM"),
        ("(`a` int) PARTITION BY HASH (`a`) (PARTITION p0 ENGINE = CSV)", "engine CSV"),
        ("(`a` int) ENGINE=InnoDB AS SELECT 1", "SELECT"),
        ("(`a` int) TABLESPACE `shared` ENGINE=InnoDB", "TABLESPACE"),
        ("(`a` int) /*!50100 TABLESPACE `shared` */ ENGINE=InnoDB", "TABLESPACE"),
        ("(`a` text) VALUES (1)", "VALUES"),
        ("(`a` int) TABLE x", "TABLE"),
        ("(LIKE x)", "LIKE"),
        ("(LIKE `o`.`x`)", "LIKE"),
        ("(`a` int, CONSTRAINT `f` FOREIGN KEY (`a`) REFERENCES `o`.`x` (`a`))", "another database"),
        ("(`a` int DEFAULT nextval(o . s))", "another database"),
        ("(`a` int) /* ' */ DATA DIRECTORY='/x' /* ' */", "comment"),
        ("(`a` int) /*!99999 ' */ DATA DIRECTORY='/x' /*!99999 ' */", "comment"),
        ("(`a` int) -- '\n DATA DIRECTORY='/x'", "comment"),
        ("(`a` int) # '\n DATA DIRECTORY='/x'", "comment"),
    ],
)
def test_a_definition_that_reaches_beyond_its_database_is_known(text: str, found: str) -> None:
    assert found in str(beyond_its_database(f"CREATE TABLE `t` {text}"))


@pytest.mark.parametrize(
    "text",
    [
        TABLE,
        "CREATE TABLE `t` (`DIRECTORY` int, `SELECT` text COMMENT 'o.x -- # /*') ENGINE=Aria PAGE_CHECKSUM=1",
        "CREATE TABLE `t` (`a` double DEFAULT 1.50 CHECK (`a` > 0.5 and `b` like 'x%')) ENGINE=MEMORY",
        "CREATE TABLE `t` (`a` int) ENGINE=MyISAM\n/*!50100 PARTITION BY RANGE (`a`)\n"
        "(PARTITION p0 VALUES LESS THAN (10) ENGINE = MyISAM, PARTITION p1 VALUES IN ('x')) */",
        "CREATE TABLE IF NOT EXISTS `t` (`a` int) DEFAULT CHARSET=utf8",
    ],
)
def test_a_definition_of_a_portal_reaches_nothing_else(text: str) -> None:
    assert beyond_its_database(text) is None
