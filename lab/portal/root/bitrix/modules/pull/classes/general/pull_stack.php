<?php

use Bitrix\Main\Config\Option;
use Boxlift\Standin\Db;
use Boxlift\Standin\Http;

/** Hands messages to the queue server, or keeps them for polling when it is off. */
class CPullStack
{
    private const EXPIRY_SECONDS = 60;
    private const TIMEOUT_SECONDS = 3;

    /** @param array<string, mixed> $message module_id, command, params */
    public static function AddByUser(int $userId, array $message): bool
    {
        return self::AddByUsers([$userId], $message);
    }

    /**
     * @param list<int> $users
     * @param array<string, mixed> $message module_id, command, params
     */
    public static function AddByUsers(array $users, array $message): bool
    {
        $body = json_encode($message + ['extra' => ['server_time_unix' => time()]], JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES);
        $error = null;
        foreach ($users as $user) {
            $channel = CPullChannel::Get($user)['CHANNEL_ID'];
            if (CPullOptions::GetNginxStatus()) {
                $error ??= Http::post(
                    CPullOptions::GetPublishUrl() . '?CHANNEL_ID=' . $channel,
                    $body,
                    ['Content-Type: text/plain', 'Message-Expiry: ' . self::EXPIRY_SECONDS],
                    self::TIMEOUT_SECONDS,
                );
            } elseif (Db::hasTable('b_pull_stack')) {
                Db::insert('b_pull_stack', ['CHANNEL_ID' => $channel, 'MESSAGE' => $body, 'DATE_CREATE' => date('Y-m-d H:i:s')]);
            }
        }
        if ($error !== null) {
            Option::set('pull', 'nginx_error', $error);
        }
        return $error === null;
    }
}
