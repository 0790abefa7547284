<?php
namespace Bitrix\Main\DB;

use Bitrix\Main\Application;

/** One connection; after_connect_d7.php runs in its scope after each connect (portal_runtime C3). */
final class MysqliConnection
{
    private ?\mysqli $resource = null;

    /** @param array<string, mixed> $configuration host[:port|:socket], database, login, password, charset */
    public function __construct(private readonly array $configuration)
    {
    }

    public function getDatabase(): string
    {
        return (string)$this->configuration['database'];
    }

    public function connect(): void
    {
        if ($this->resource !== null) {
            return;
        }
        mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
        [$host, $place] = explode(':', (string)$this->configuration['host'], 2) + [1 => null];
        $socket = $place !== null && str_starts_with($place, '/') ? $place : null;
        $port = $place !== null && ctype_digit($place) ? (int)$place : null;
        try {
            $resource = mysqli_init();
            // Plain and prepared queries then give numbers of the same type.
            $resource->options(MYSQLI_OPT_INT_AND_FLOAT_NATIVE, 1);
            $resource->real_connect(
                $host,
                (string)$this->configuration['login'],
                (string)$this->configuration['password'],
                $this->getDatabase(),
                $port,
                $socket,
            );
            $resource->set_charset((string)($this->configuration['charset'] ?? 'utf8mb4'));
        } catch (\mysqli_sql_exception $error) {
            throw new ConnectionException('Mysql connect error: ' . $error->getMessage());
        }
        $this->resource = $resource;
        $afterConnect = Application::getDocumentRoot() . '/bitrix/php_interface/after_connect_d7.php';
        if (is_file($afterConnect)) {
            include $afterConnect;
        }
    }

    /** @param list<scalar|null> $binds values for question marks */
    public function query(string $sql, array $binds = []): Result
    {
        $this->connect();
        try {
            if ($binds === []) {
                return new Result($this->resource->query($sql));
            }
            $statement = $this->resource->prepare($sql);
            $statement->execute($binds);
            return new Result($statement->get_result());
        } catch (\mysqli_sql_exception $error) {
            throw new SqlQueryException('Mysql query error: (' . $error->getCode() . ') ' . $error->getMessage());
        }
    }

    public function queryExecute(string $sql): void
    {
        $this->query($sql);
    }

    public function queryScalar(string $sql): mixed
    {
        $row = $this->query($sql)->fetch();
        return $row ? reset($row) : null;
    }

    public function getInsertedId(): int
    {
        return (int)$this->resource->insert_id;
    }

    public function getAffectedRowsCount(): int
    {
        return (int)$this->resource->affected_rows;
    }

    public function isTableExists(string $tableName): bool
    {
        return (bool)$this->query('SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()'
            . ' AND TABLE_NAME = ?', [$tableName])->fetch();
    }

    public function getVersion(): string
    {
        return (string)$this->queryScalar('SELECT VERSION()');
    }
}
