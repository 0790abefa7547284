<?php

/** Rows that are taken one by one: what the product's older calls answer with. */
class CDBResult
{
    /** @param list<array<string, mixed>> $rows */
    public function __construct(private array $rows = [])
    {
    }

    /** @return array<string, mixed>|false */
    public function Fetch(): array|false
    {
        return array_shift($this->rows) ?? false;
    }
}
