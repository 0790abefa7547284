<?php

use Bitrix\Main\Config\Option;
use Bitrix\Main\DB\SqlQueryException;
use Boxlift\Standin\Db;
use Boxlift\Standin\SearchSources;
use Boxlift\Standin\Sphinx;

/** The site index in b_search_content* (portal_runtime F1, F2), engines `mysql` (FULLTEXT), `bitrix` (words) and `sphinx`. */
class CSearch extends CDBResult
{
    private const BATCH = 200;
    private const FOUND = 50;
    private const TABLES = [
        'b_search_content', 'b_search_content_text', 'b_search_content_site', 'b_search_content_stem',
        'b_search_content_param', 'b_search_content_right', 'b_search_content_title', 'b_search_content_freq',
        'b_search_tags',
    ];

    // InnoDB indexes none of its default stop words, and a query that demands one finds nothing.
    private const STOP_WORDS = ['ABOUT', 'ARE', 'COM', 'FOR', 'FROM', 'HOW', 'THAT', 'THE', 'THIS', 'UND', 'WAS', 'WHAT',
        'WHEN', 'WHERE', 'WHO', 'WILL', 'WITH', 'WWW'];

    /** 0 where the search worked. */
    public int $errorno = 0;

    /** Why nothing can be found: no_fulltext, no_engine (the stand-in has no OpenSearch), or false. */
    public string|false $error = false;

    /**
     * With a time limit: an array to hand in again as $NS, until a number comes back. Without: the number at once.
     * @param array<string, mixed>|false $NS
     * @return int|array<string, mixed> number of items indexed, or the state
     */
    public static function ReIndexAll(bool $full = false, int $maxExecTime = 0, array|false $NS = false, bool $clearSuggest = false): int|array
    {
        $started = microtime(true);
        $state = is_array($NS) && $NS !== [] ? $NS : [
            'MODULE' => '', 'ID' => '', 'CNT' => 0, 'CLEAR' => 'N', 'SESS_ID' => bin2hex(random_bytes(16)),
            'SITE_ID' => '', 'MODULE_ID' => '',
        ];
        if ($state['CLEAR'] !== 'Y') {
            if ($full) {
                self::clear($clearSuggest);
            }
            $state['CLEAR'] = 'Y';
        }
        [$source, $last] = explode('.', (string)$state['ID'], 2) + [1 => '0'];
        $ahead = $source === '';
        foreach (SearchSources::usable() as $name) {
            if (!$ahead && $name !== $source) {
                continue;
            }
            $after = $ahead ? 0 : (int)$last;
            $ahead = true;
            do {
                $items = SearchSources::read($name, $after, self::BATCH);
                self::store($items, (string)$state['SESS_ID']);
                $state['CNT'] += count($items);
                $after = $items === [] ? $after : end($items)['ID'];
                $state['MODULE'] = SearchSources::module($name);
                $state['ID'] = "$name.$after";
                if ($maxExecTime > 0 && microtime(true) - $started >= $maxExecTime) {
                    return $state;
                }
            } while (count($items) === self::BATCH);
        }
        self::drop('UPD IS NULL OR UPD <> ?', [(string)$state['SESS_ID']]);
        return (int)$state['CNT'];
    }

    public static function ReindexModule(string $module, bool $full = false): int
    {
        if ($full) {
            self::drop('MODULE_ID = ?', [$module]);
        }
        $count = 0;
        foreach (SearchSources::usable() as $name) {
            for ($after = 0; SearchSources::module($name) === $module; $after = end($items)['ID']) {
                $items = SearchSources::read($name, $after, self::BATCH);
                if ($items === []) {
                    break;
                }
                self::store($items, '');
                $count += count($items);
            }
        }
        return $count;
    }

    /** @param array{TITLE: string, BODY: string, URL: string, DATE_CHANGE: string} $fields */
    public static function Index(string $module, string $itemId, array $fields): void
    {
        self::store([['MODULE_ID' => $module, 'ITEM_ID' => $itemId] + $fields], '');
    }

    public static function DeleteIndex(string $module, string|false $itemId = false): void
    {
        if ($itemId === false) {
            self::drop('MODULE_ID = ?', [$module]);
        } else {
            self::drop('MODULE_ID = ? AND ITEM_ID = ?', [$module, $itemId]);
        }
    }

    /**
     * What is found is fetched row by row; rights are not looked at, as there are none here.
     * @param array{QUERY: string, SITE_ID?: string, MODULE_ID?: string, ITEM_ID?: string} $parameters
     */
    public function Search(array $parameters): void
    {
        parent::__construct($this->found($parameters));
    }

    /**
     * @param array<string, string> $parameters
     * @return list<array<string, mixed>>
     */
    private function found(array $parameters): array
    {
        $words = self::words($parameters['QUERY']);
        if ($words === []) {
            return [];
        }
        [$narrow, $binds] = self::narrow($parameters);
        $engine = self::engine();
        if ($engine === 'sphinx') {
            return $this->byDaemon($words, $narrow, $binds);
        }
        if (!in_array($engine, ['mysql', 'bitrix'], true)) {
            return $this->fail('no_engine');
        }
        if ($engine === 'bitrix') {
            $marks = implode(', ', array_fill(0, count($words), '?'));
            return Db::rows('SELECT c.MODULE_ID, c.ITEM_ID, c.TITLE, c.URL FROM b_search_content c JOIN b_search_content_stem s'
                . " ON s.SEARCH_CONTENT_ID = c.ID WHERE s.STEM IN ($marks)$narrow GROUP BY c.ID HAVING COUNT(DISTINCT s.STEM) = "
                . count($words) . ' ORDER BY c.DATE_CHANGE DESC LIMIT ' . self::FOUND,
                [...array_map([self::class, 'stem'], $words), ...$binds]);
        }
        if (Option::get('main', '~ft_b_search_content_text') === '') {
            return $this->fail('no_fulltext');
        }
        $words = array_diff($words, self::STOP_WORDS);
        $against = implode(' ', array_map(static fn (string $word): string => "+$word*", $words));
        try {
            return Db::rows('SELECT c.MODULE_ID, c.ITEM_ID, c.TITLE, c.URL FROM b_search_content c JOIN b_search_content_text t'
                . " ON t.SEARCH_CONTENT_ID = c.ID WHERE MATCH (t.SEARCHABLE_CONTENT) AGAINST (? IN BOOLEAN MODE)$narrow"
                . ' ORDER BY c.TITLE = ? DESC, c.DATE_CHANGE DESC LIMIT ' . self::FOUND,
                [$against, ...$binds, $parameters['QUERY']]);
        } catch (SqlQueryException $error) {
            error_log('search: ' . $error->getMessage());
            return $this->fail('no_fulltext');
        }
    }

    /**
     * @param array<string, string> $parameters
     * @return array{string, list<string>} conditions on b_search_content c, and their values
     */
    private static function narrow(array $parameters): array
    {
        $asked = array_intersect_key($parameters, ['MODULE_ID' => true, 'ITEM_ID' => true]);
        $conditions = array_map(static fn (string $name): string => " AND c.$name = ?", array_keys($asked));
        return [implode('', $conditions), array_values($asked)];
    }

    /** @return list<array<string, mixed>> */
    private function fail(string $why): array
    {
        $this->errorno = 1;
        $this->error = $why;
        return [];
    }

    /**
     * @param list<string> $words
     * @param list<string> $binds
     * @return list<array<string, mixed>>
     */
    private function byDaemon(array $words, string $narrow, array $binds): array
    {
        $among = $narrow === '' ? null : array_map('intval', array_column(
            Db::rows("SELECT c.ID FROM b_search_content c WHERE TRUE$narrow", $binds), 'ID'));
        try {
            $ids = Sphinx::find($words, self::FOUND, $among);
        } catch (\mysqli_sql_exception $error) {
            error_log('search: ' . $error->getMessage());
            return $this->fail('no_engine');
        }
        return $ids === [] ? [] : Db::rows('SELECT MODULE_ID, ITEM_ID, TITLE, URL FROM b_search_content WHERE ID IN ('
            . implode(', ', $ids) . ') ORDER BY DATE_CHANGE DESC');
    }

    private static function engine(): string
    {
        return Option::get('search', 'full_text_engine', 'bitrix');
    }

    /** @param list<array<string, mixed>> $items */
    private static function store(array $items, string $session): void
    {
        if ($items === []) {
            return;
        }
        $insert = static function (string $table, array $columns, array $rows, string $end): void {
            $one = '(' . implode(', ', array_fill(0, count($columns), '?')) . ')';
            Db::run("INSERT INTO $table (" . implode(', ', $columns) . ') VALUES '
                . implode(', ', array_fill(0, count($rows), $one)) . " ON DUPLICATE KEY UPDATE $end", array_merge(...$rows));
        };
        $insert('b_search_content', ['DATE_CHANGE', 'MODULE_ID', 'ITEM_ID', 'URL', 'TITLE', 'BODY', 'UPD'], array_map(
            static fn (array $item): array => [$item['DATE_CHANGE'], $item['MODULE_ID'], $item['ITEM_ID'], $item['URL'],
                $item['TITLE'], $item['BODY'], $session],
            $items,
        ), 'DATE_CHANGE = VALUES(DATE_CHANGE), URL = VALUES(URL), TITLE = VALUES(TITLE), BODY = VALUES(BODY), UPD = VALUES(UPD)');
        $ids = [];
        foreach (array_unique(array_column($items, 'MODULE_ID')) as $module) {
            $own = array_values(array_column(array_filter($items, static fn ($item) => $item['MODULE_ID'] === $module), 'ITEM_ID'));
            $marks = implode(', ', array_fill(0, count($own), '?'));
            foreach (Db::rows("SELECT ID, ITEM_ID FROM b_search_content WHERE MODULE_ID = ? AND ITEM_ID IN ($marks)", [$module, ...$own]) as $row) {
                $ids["$module|{$row['ITEM_ID']}"] = (int)$row['ID'];
            }
        }
        $texts = $sites = $stems = [];
        foreach ($items as $item) {
            $id = $ids["{$item['MODULE_ID']}|{$item['ITEM_ID']}"];
            $text = mb_strtoupper($item['TITLE'] . "\n" . $item['BODY']);
            $texts[] = [$id, md5($text), $text];
            $sites[] = [$id, SITE_ID, null];
            foreach (self::words($text) as $word) {
                $stems[] = [$id, LANGUAGE_ID, self::stem($word), 1, 0];
            }
        }
        $insert('b_search_content_text', ['SEARCH_CONTENT_ID', 'SEARCH_CONTENT_MD5', 'SEARCHABLE_CONTENT'], $texts,
            'SEARCH_CONTENT_MD5 = VALUES(SEARCH_CONTENT_MD5), SEARCHABLE_CONTENT = VALUES(SEARCHABLE_CONTENT)');
        $insert('b_search_content_site', ['SEARCH_CONTENT_ID', 'SITE_ID', 'URL'], $sites, 'URL = VALUES(URL)');
        if (self::engine() === 'sphinx') {
            $rows = [];
            foreach ($items as $item) {
                $rows[$ids["{$item['MODULE_ID']}|{$item['ITEM_ID']}"]] = $item;
            }
            Sphinx::store($rows);
        }
        if (self::engine() === 'bitrix') {
            Db::run('DELETE FROM b_search_content_stem WHERE SEARCH_CONTENT_ID IN (' . implode(',', $ids) . ')');
            foreach (array_chunk($stems, 1000) as $chunk) {
                $insert('b_search_content_stem', ['SEARCH_CONTENT_ID', 'LANGUAGE_ID', 'STEM', 'TF', 'PS'], $chunk, 'TF = VALUES(TF)');
            }
        }
    }

    private static function clear(bool $suggest): void
    {
        if (self::engine() === 'sphinx') {
            Sphinx::clear();
        }
        foreach ([...self::TABLES, ...($suggest ? ['b_search_suggest'] : [])] as $table) {
            if (Db::hasTable($table)) {
                Db::run("TRUNCATE TABLE $table");
            }
        }
    }

    /** @param list<string> $binds */
    private static function drop(string $condition, array $binds): void
    {
        foreach (['b_search_content_text', 'b_search_content_site', 'b_search_content_stem'] as $table) {
            Db::run("DELETE FROM $table WHERE SEARCH_CONTENT_ID IN (SELECT ID FROM b_search_content WHERE $condition)", $binds);
        }
        Db::run("DELETE FROM b_search_content WHERE $condition", $binds);
    }

    /** @return list<string> distinct words of three characters or more, in upper case */
    private static function words(string $text): array
    {
        preg_match_all('/[\p{L}\p{N}_]{3,80}/u', mb_strtoupper(mb_scrub($text)), $found);
        return array_values(array_unique($found[0]));
    }

    private static function stem(string $word): int
    {
        return crc32($word) & 0x7fffffff;
    }
}
