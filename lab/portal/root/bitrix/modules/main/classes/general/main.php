<?php

use Bitrix\Main\Config\Option;

class CMain
{
    public static function IsHTTPS(): bool
    {
        return (int)($_SERVER['SERVER_PORT'] ?? 0) === 443
            || in_array(strtolower((string)($_SERVER['HTTPS'] ?? '')), ['on', '1'], true);
    }

    /** The end of a hit or script: deferred events leave now. */
    public static function FinalActions(): void
    {
        \Boxlift\Standin\Webhooks::flush();
    }
}
