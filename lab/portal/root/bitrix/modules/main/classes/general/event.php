<?php

use Bitrix\Main\Config\Option;
use Boxlift\Standin\Db;
use Boxlift\Standin\Letters;

/** Mail events: the queue b_event and immediate letters (portal_runtime A6, G). */
class CEvent
{
    public const SEND_RESULT_SUCCESS = 'Y';
    public const SEND_RESULT_ERROR = 'F';
    public const SEND_RESULT_TEMPLATE_NOT_FOUND = '0';

    private const BULK_DEFAULT = 5;
    private const KEEP_DAYS = 14;

    /** @param array<string, scalar|null> $fields */
    public static function Send(string $event, string $lid, array $fields, string $duplicate = 'Y'): int
    {
        return Db::insert('b_event', [
            'EVENT_NAME' => $event,
            'LID' => $lid,
            'C_FIELDS' => serialize($fields),
            'DATE_INSERT' => date('Y-m-d H:i:s'),
            'SUCCESS_EXEC' => 'N',
            'DUPLICATE' => $duplicate,
            'LANGUAGE_ID' => defined('LANGUAGE_ID') ? LANGUAGE_ID : null,
        ]);
    }

    /** @param array<string, scalar|null> $fields */
    public static function SendImmediate(string $event, string $lid, array $fields): string
    {
        return Letters::send($event, $lid, $fields);
    }

    /** Sends up to main/mail_event_bulk queued letters; one process at a time. */
    public static function CheckEvents(): int
    {
        $lock = Db::value('SELECT GET_LOCK(CONCAT(DATABASE(), ?), 0)', ['_event']);
        if ((int)$lock !== 1) {
            return 0;
        }
        $bulk = max(1, (int)Option::get('main', 'mail_event_bulk', (string)self::BULK_DEFAULT));
        $rows = Db::rows("SELECT ID, EVENT_NAME, LID, C_FIELDS FROM b_event WHERE SUCCESS_EXEC = 'N' ORDER BY ID LIMIT $bulk");
        foreach ($rows as $row) {
            $fields = @unserialize((string)$row['C_FIELDS'], ['allowed_classes' => false]);
            $result = Letters::send($row['EVENT_NAME'], $row['LID'], is_array($fields) ? $fields : []);
            Db::run('UPDATE b_event SET SUCCESS_EXEC = ?, DATE_EXEC = NOW() WHERE ID = ?', [$result, $row['ID']]);
        }
        self::CleanUpAgent();
        Db::value('SELECT RELEASE_LOCK(CONCAT(DATABASE(), ?))', ['_event']);
        return count($rows);
    }

    /** Agent: forgets what was sent main/mail_event_period days ago. */
    public static function CleanUpAgent(): string
    {
        $days = (int)Option::get('main', 'mail_event_period', (string)self::KEEP_DAYS);
        Db::run('DELETE FROM b_event WHERE DATE_EXEC < NOW() - INTERVAL ? DAY', [$days]);
        return 'CEvent::CleanUpAgent();';
    }
}
