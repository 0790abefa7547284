<?php

use Bitrix\Pull\Config;

class CPullOptions
{
    /** Whether the queue server is on. */
    public static function GetNginxStatus(): bool
    {
        return Config::value('nginx') === 'Y';
    }

    public static function GetQueueServerStatus(): bool
    {
        return self::GetNginxStatus();
    }

    public static function GetPublishUrl(): string
    {
        return Config::url('path_to_publish');
    }

    public static function GetWebSocketUrl(): string
    {
        return Config::url(CMain::IsHTTPS() ? 'path_to_websocket_secure' : 'path_to_websocket');
    }

    public static function GetSignatureKey(): string
    {
        return Config::value('signature_key');
    }

    public static function GetSignatureAlgorithm(): string
    {
        return Config::value('signature_algo');
    }
}
