<?php
namespace Boxlift\Standin;

use Bitrix\Main\Config\Option;

/** The site index in a search daemon that speaks MySQL's protocol (portal_runtime F1). */
final class Sphinx
{
    private const BATCH = 100;
    private static ?\mysqli $daemon = null;

    /** @param array<int, array<string, mixed>> $items by ID of b_search_content: TITLE, BODY, MODULE_ID, ITEM_ID */
    public static function store(array $items): void
    {
        $rows = [];
        foreach ($items as $id => $item) {
            $texts = array_map([self::class, 'quoted'], [$item['TITLE'], $item['BODY'], $item['MODULE_ID'], $item['ITEM_ID']]);
            $rows[] = "($id, " . implode(', ', $texts) . ', ' . (int)strtotime((string)$item['DATE_CHANGE']) . ')';
        }
        foreach (array_chunk($rows, self::BATCH) as $chunk) {
            self::daemon()->query('REPLACE INTO ' . self::index() . ' (id, title, body, module, item, date_change) VALUES '
                . implode(', ', $chunk));
        }
    }

    /**
     * @param list<string> $words
     * @param list<int>|null $among IDs of b_search_content that count alone
     * @return list<int> IDs of b_search_content
     */
    public static function find(array $words, int $limit, ?array $among = null): array
    {
        if ($among === []) {
            return [];
        }
        $narrow = $among === null ? '' : ' AND id IN (' . implode(', ', $among) . ')';
        $match = self::quoted(implode(' ', array_map(static fn (string $word): string => "$word*", $words)));
        $found = self::daemon()->query('SELECT id FROM ' . self::index() . " WHERE MATCH($match)$narrow LIMIT $limit");
        return array_map('intval', array_column($found->fetch_all(MYSQLI_ASSOC), 'id'));
    }

    public static function clear(): void
    {
        self::daemon()->query('TRUNCATE RTINDEX ' . self::index());
    }

    private static function index(): string
    {
        return preg_replace('/\W/', '', Option::get('search', 'sphinx_index_name', 'bitrix'));
    }

    private static function quoted(mixed $text): string
    {
        return "'" . addcslashes(mb_scrub((string)$text), "'\\\0\r\n") . "'";
    }

    private static function daemon(): \mysqli
    {
        if (self::$daemon === null) {
            mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
            [$host, $port] = explode(':', Option::get('search', 'sphinx_connection', '127.0.0.1:9306')) + [1 => '9306'];
            self::$daemon = new \mysqli($host, '', '', '', (int)$port);
        }
        return self::$daemon;
    }
}
