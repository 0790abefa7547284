<?php
namespace Boxlift\Standin;

use Bitrix\Main\Config\Option;

/**
 * Search texts of the CRM's cards, rebuilt in portions (portal_runtime F3). Its position lies in options, as the
 * product keeps it; a portal whose tables lack SEARCH_CONTENT has nothing to store.
 */
abstract class SearchContent
{
    protected const ENTITY = '';
    protected const TABLE = '';
    private const LIMIT = '50';

    /** @var array<class-string, static> */
    private static array $instances = [];

    public static function getInstance(): static
    {
        return self::$instances[static::class] ??= new static();
    }

    public function enable(bool $enable): void
    {
        if ($enable) {
            Option::set('crm', self::option(), 'Y');
        } else {
            Option::delete('crm', ['name' => self::option()]);
        }
        Option::delete('crm', ['name' => self::option() . '_PROGRESS']);
    }

    /** @return bool whether there is more to do */
    public static function doRun(): bool
    {
        if (Option::get('crm', self::option(), 'N') !== 'Y') {
            return false;
        }
        $text = Option::get('crm', self::option() . '_PROGRESS');
        $progress = $text === '' ? [] : unserialize($text, ['allowed_classes' => false]);
        $limit = (int)Option::get('crm', '~CRM_SEARCH_CONTENT_STEP_LIMIT', self::LIMIT);
        $rows = Db::rows('SELECT ID, TITLE FROM ' . self::cards() . ' c WHERE ID > ? ORDER BY ID LIMIT ' . $limit,
            [(int)($progress['LAST_ITEM_ID'] ?? 0)]);
        if ($rows === []) {
            self::getInstance()->enable(false);
            return false;
        }
        if (Db::hasColumn(static::TABLE, 'SEARCH_CONTENT')) {
            foreach ($rows as $row) {
                Db::run('UPDATE ' . static::TABLE . ' SET SEARCH_CONTENT = ? WHERE ID = ?',
                    [$row['ID'] . ' ' . mb_strtoupper((string)$row['TITLE']), (int)$row['ID']]);
            }
        }
        Option::set('crm', self::option() . '_PROGRESS', serialize([
            'LAST_ITEM_ID' => (int)end($rows)['ID'],
            'PROCESSED_ITEMS' => (int)($progress['PROCESSED_ITEMS'] ?? 0) + count($rows),
            'TOTAL_ITEMS' => (int)Db::value('SELECT COUNT(*) FROM ' . static::TABLE),
        ]));
        return true;
    }

    private static function option(): string
    {
        return '~CRM_REBUILD_' . static::ENTITY . '_SEARCH_CONTENT';
    }

    /** The cards with a title: contacts have a name instead. */
    private static function cards(): string
    {
        $title = Db::hasColumn(static::TABLE, 'TITLE') ? 'TITLE' : 'FULL_NAME AS TITLE';
        return "(SELECT ID, $title FROM " . static::TABLE . ')';
    }
}
