<?php
namespace Bitrix\Main\Engine;

use Boxlift\Standin\Links;

/** The host that links begin with, with its scheme; in cron there is no request to learn the scheme from. */
final class UrlManager
{
    private static ?self $instance = null;

    public static function getInstance(): self
    {
        return self::$instance ??= new self();
    }

    public function getHostUrl(): string
    {
        return (\CMain::IsHTTPS() ? 'https' : 'http') . '://' . Links::host();
    }
}
