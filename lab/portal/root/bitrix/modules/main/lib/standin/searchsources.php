<?php
namespace Boxlift\Standin;

use Bitrix\Main\Loader;

/** What goes into the site index: leads, contacts, tasks, employees. */
final class SearchSources
{
    /** name => [module, query for rows after an ID; columns ID, TITLE, BODY, URL, DATE_CHANGE] */
    private const SOURCES = [
        'LEAD' => ['crm', "SELECT l.ID, l.TITLE, CONCAT_WS(' ', l.FULL_NAME, l.COMMENTS, (SELECT GROUP_CONCAT(m.VALUE SEPARATOR ' ')"
            . " FROM b_crm_field_multi m WHERE m.ENTITY_ID = 'LEAD' AND m.ELEMENT_ID = l.ID)) AS BODY,"
            . " CONCAT('/crm/lead/details/', l.ID, '/') AS URL, COALESCE(l.DATE_MODIFY, l.DATE_CREATE, NOW()) AS DATE_CHANGE"
            . ' FROM b_crm_lead l WHERE l.ID > ? ORDER BY l.ID'],
        'CONTACT' => ['crm', "SELECT c.ID, c.FULL_NAME AS TITLE, CONCAT_WS(' ', c.POST, c.COMMENTS, (SELECT GROUP_CONCAT(m.VALUE SEPARATOR ' ')"
            . " FROM b_crm_field_multi m WHERE m.ENTITY_ID = 'CONTACT' AND m.ELEMENT_ID = c.ID)) AS BODY,"
            . " CONCAT('/crm/contact/details/', c.ID, '/') AS URL, COALESCE(c.DATE_MODIFY, c.DATE_CREATE, NOW()) AS DATE_CHANGE"
            . ' FROM b_crm_contact c WHERE c.ID > ? ORDER BY c.ID'],
        'TASK' => ['tasks', "SELECT t.ID, t.TITLE, t.DESCRIPTION AS BODY, CONCAT('/company/personal/user/', t.RESPONSIBLE_ID,"
            . " '/tasks/task/view/', t.ID, '/') AS URL, COALESCE(t.CHANGED_DATE, t.CREATED_DATE, NOW()) AS DATE_CHANGE"
            . " FROM b_tasks t WHERE t.ZOMBIE <> 'Y' AND t.ID > ? ORDER BY t.ID"],
        'USER' => ['main', "SELECT u.ID, CONCAT_WS(' ', u.NAME, u.LAST_NAME) AS TITLE, CONCAT_WS(' ', u.WORK_POSITION, u.EMAIL) AS BODY,"
            . " CONCAT('/company/personal/user/', u.ID, '/') AS URL, COALESCE(u.TIMESTAMP_X, u.DATE_REGISTER) AS DATE_CHANGE"
            . " FROM b_user u WHERE u.ACTIVE = 'Y' AND COALESCE(u.EXTERNAL_AUTH_ID, '') IN ('', 'socservices') AND u.ID > ? ORDER BY u.ID"],
    ];

    /** @return list<string> */
    public static function usable(): array
    {
        return array_values(array_filter(array_keys(self::SOURCES), static fn (string $name): bool
            => Loader::includeModule(self::SOURCES[$name][0])));
    }

    public static function module(string $name): string
    {
        return self::SOURCES[$name][0];
    }

    /** @return list<array{ID: int, MODULE_ID: string, ITEM_ID: string, TITLE: string, BODY: string, URL: string, DATE_CHANGE: string}> */
    public static function read(string $name, int $after, int $limit): array
    {
        [$module, $sql] = self::SOURCES[$name];
        return array_map(static fn (array $row): array => [
            'ID' => (int)$row['ID'],
            'MODULE_ID' => $module,
            'ITEM_ID' => "$name.{$row['ID']}",
            'TITLE' => (string)$row['TITLE'],
            'BODY' => (string)$row['BODY'],
            'URL' => $row['URL'],
            'DATE_CHANGE' => $row['DATE_CHANGE'],
        ], Db::rows("$sql LIMIT $limit", [$after]));
    }
}
