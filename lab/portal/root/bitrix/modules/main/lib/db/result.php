<?php
namespace Bitrix\Main\DB;

/** Rows of one query; method names ignore case, so the old Fetch() works as well. */
final class Result
{
    public function __construct(private readonly \mysqli_result|bool $rows)
    {
    }

    /** @return array<string, string|null>|false */
    public function fetch(): array|false
    {
        return $this->rows instanceof \mysqli_result ? ($this->rows->fetch_assoc() ?: false) : false;
    }

    /** @return list<array<string, string|null>> */
    public function fetchAll(): array
    {
        return $this->rows instanceof \mysqli_result ? $this->rows->fetch_all(MYSQLI_ASSOC) : [];
    }
}
