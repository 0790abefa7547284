<?php
namespace Boxlift\Standin;

use Bitrix\Main\Config\Option;

/** The host that links carry, in the order of portal_runtime D1. */
final class Links
{
    public static function host(): string
    {
        if (defined('BX24_HOST_NAME') && BX24_HOST_NAME !== '') {
            return BX24_HOST_NAME;
        }
        if (defined('SITE_SERVER_NAME') && SITE_SERVER_NAME !== '') {
            return SITE_SERVER_NAME;
        }
        return Option::get('main', 'server_name') ?: (string)($_SERVER['HTTP_HOST'] ?? '');
    }

    public static function absolute(string $path): string
    {
        if (!str_starts_with($path, '/') || str_starts_with($path, '//')) {
            return $path;
        }
        return (\CMain::IsHTTPS() ? 'https' : 'http') . '://' . self::host() . $path;
    }
}
