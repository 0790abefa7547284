<?php
namespace Boxlift\Standin;

use Bitrix\Main\Application;

/** Short forms of the queries that pages and classes need. */
final class Db
{
    /** @var array<string, list<string>> */
    private static array $columns = [];

    /**
     * @param list<scalar|null> $binds
     * @return list<array<string, mixed>>
     */
    public static function rows(string $sql, array $binds = []): array
    {
        return Application::getConnection()->query($sql, $binds)->fetchAll();
    }

    /**
     * @param list<scalar|null> $binds
     * @return array<string, mixed>|null
     */
    public static function row(string $sql, array $binds = []): ?array
    {
        return self::rows($sql, $binds)[0] ?? null;
    }

    /** @param list<scalar|null> $binds */
    public static function value(string $sql, array $binds = []): mixed
    {
        $row = self::row($sql, $binds);
        return $row === null ? null : reset($row);
    }

    /** @param list<scalar|null> $binds */
    public static function run(string $sql, array $binds = []): int
    {
        Application::getConnection()->query($sql, $binds);
        return Application::getConnection()->getAffectedRowsCount();
    }

    /**
     * Inserts the columns that the table has: older and newer schemas differ in some.
     * @param array<string, scalar|null> $fields
     */
    public static function insert(string $table, array $fields): int
    {
        $fields = array_intersect_key($fields, array_flip(self::columns($table)));
        $names = implode(', ', array_map(static fn ($name) => "`$name`", array_keys($fields)));
        $marks = implode(', ', array_fill(0, count($fields), '?'));
        self::run("INSERT INTO `$table` ($names) VALUES ($marks)", array_values($fields));
        return Application::getConnection()->getInsertedId();
    }

    /** @param array<string, scalar|null> $fields */
    public static function update(string $table, int $id, array $fields): int
    {
        $fields = array_intersect_key($fields, array_flip(self::columns($table)));
        $sets = implode(', ', array_map(static fn ($name) => "`$name` = ?", array_keys($fields)));
        return self::run("UPDATE `$table` SET $sets WHERE ID = ?", [...array_values($fields), $id]);
    }

    public static function hasTable(string $table): bool
    {
        return self::columns($table) !== [];
    }

    public static function hasColumn(string $table, string $column): bool
    {
        return in_array($column, self::columns($table), true);
    }

    /** @return list<string> */
    private static function columns(string $table): array
    {
        return self::$columns[$table] ??= array_column(self::rows(
            'SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ?',
            [$table],
        ), 'COLUMN_NAME');
    }
}
