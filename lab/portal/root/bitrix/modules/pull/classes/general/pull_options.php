<?php

use Boxlift\Standin\PullSettings;

class CPullOptions
{
    /** Whether the queue server is on. */
    public static function GetNginxStatus(): bool
    {
        return PullSettings::value('nginx') === 'Y';
    }

    public static function GetQueueServerStatus(): bool
    {
        return self::GetNginxStatus();
    }

    public static function GetPublishUrl(): string
    {
        return PullSettings::url('path_to_publish');
    }

    /** With #DOMAIN# for whoever hands it to a browser to replace. */
    public static function GetWebSocketUrl(): string
    {
        return PullSettings::value('path_to_websocket');
    }

    public static function GetWebSocketSecureUrl(): string
    {
        return PullSettings::value('path_to_websocket_secure');
    }

    public static function GetSignatureKey(): string
    {
        return PullSettings::value('signature_key');
    }

    public static function GetSignatureAlgorithm(): string
    {
        return PullSettings::value('signature_algo');
    }
}
