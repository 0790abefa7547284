<?php
namespace Bitrix\MessageService;

use Boxlift\Standin\Db;
use Boxlift\Standin\Http;

final class Queue
{
    private const BULK = 5;
    private const SECONDS = 3;

    /** Agent: hands waiting short messages to the application that sends them, here the first active one. */
    public static function run(): string
    {
        $waiting = Db::hasColumn('b_messageservice_message', 'SUCCESS_EXEC')
            ? Db::rows("SELECT ID, MESSAGE_TO, MESSAGE_BODY FROM b_messageservice_message WHERE SUCCESS_EXEC = 'N'"
                . ' ORDER BY ID LIMIT ' . self::BULK)
            : [];
        $url = $waiting === [] ? null : Db::value("SELECT URL FROM b_rest_app WHERE ACTIVE = 'Y' AND INSTALLED = 'Y' ORDER BY ID");
        foreach ($waiting as $message) {
            $body = http_build_query(['message_to' => $message['MESSAGE_TO'], 'message_body' => $message['MESSAGE_BODY']]);
            $error = Http::post((string)$url, $body, ['Content-Type: application/x-www-form-urlencoded'], self::SECONDS);
            Db::run('UPDATE b_messageservice_message SET SUCCESS_EXEC = ?, DATE_EXEC = NOW() WHERE ID = ?',
                [$error === null ? 'Y' : 'E', $message['ID']]);
        }
        return '\\Bitrix\\MessageService\\Queue::run();';
    }
}
