<?php

use Boxlift\Standin\Db;

/** Channels of users; an id holds for 43205 s (portal_runtime E3). */
class CPullChannel
{
    private const SECONDS = 43205;

    /**
     * @param bool $cache not looked at: nothing is cached here
     * @return array{CHANNEL_ID: string, CHANNEL_PUBLIC_ID: string}
     */
    public static function Get(int $userId, bool $cache = true, bool $reOpen = false, string $type = 'private'): array
    {
        $row = Db::row('SELECT CHANNEL_ID, CHANNEL_PUBLIC_ID FROM b_pull_channel WHERE USER_ID = ? AND CHANNEL_TYPE = ?'
            . ' AND DATE_CREATE > NOW() - INTERVAL ' . self::SECONDS . ' SECOND ORDER BY ID DESC', [$userId, $type]);
        if ($row !== null && !$reOpen) {
            return $row;
        }
        Db::run('DELETE FROM b_pull_channel WHERE USER_ID = ? AND CHANNEL_TYPE = ?', [$userId, $type]);
        $row = ['CHANNEL_ID' => bin2hex(random_bytes(16)), 'CHANNEL_PUBLIC_ID' => bin2hex(random_bytes(16))];
        Db::insert('b_pull_channel', $row + [
            'USER_ID' => $userId, 'CHANNEL_TYPE' => $type, 'LAST_ID' => 0, 'DATE_CREATE' => date('Y-m-d H:i:s'),
        ]);
        return $row;
    }

    public static function SignChannel(string $channelId): string
    {
        return $channelId . '.' . self::GetSignature($channelId);
    }

    public static function SignPublicChannel(string $channelId): string
    {
        return $channelId . '.' . self::GetSignature("public:$channelId");
    }

    public static function GetSignature(string $value, ?string $signatureKey = null): string
    {
        return hash_hmac(CPullOptions::GetSignatureAlgorithm(), $value, $signatureKey ?? CPullOptions::GetSignatureKey());
    }
}
