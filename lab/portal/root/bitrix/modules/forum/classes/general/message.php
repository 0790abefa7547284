<?php

use Boxlift\Standin\Db;

class CForumMessage
{
    private const FILTERS = ['ID', 'TOPIC_ID', 'FORUM_ID', 'APPROVED'];

    /**
     * @param array<string, string> $order not looked at: by ID
     * @param array<string, int|string> $filter
     * @return int|CDBResult the number of messages, or the messages
     */
    public static function GetList(array $order = [], array $filter = [], bool $count = false): int|CDBResult
    {
        $known = array_intersect_key($filter, array_flip(self::FILTERS));
        $where = implode(' AND ', ['TRUE', ...array_map(static fn (string $name): string => "$name = ?", array_keys($known))]);
        if ($count) {
            return (int)Db::value("SELECT COUNT(*) FROM b_forum_message WHERE $where", array_values($known));
        }
        return new CDBResult(Db::rows("SELECT * FROM b_forum_message WHERE $where ORDER BY ID", array_values($known)));
    }
}
