<?php
namespace Boxlift\Standin;

use Bitrix\Main\Application;

/** license_key.php uses a short tag in old files: with short_open_tag off the key is empty (portal_runtime 0.3, B). */
final class License
{
    public static function key(): string
    {
        $LICENSE_KEY = '';
        $file = Application::getDocumentRoot() . '/bitrix/license_key.php';
        if (is_file($file)) {
            include $file;
        }
        return is_string($LICENSE_KEY) && $LICENSE_KEY !== '' ? $LICENSE_KEY : 'DEMO';
    }

    public static function publicHash(): string
    {
        $key = self::key();
        return $key === 'DEMO' ? 'DEMO' : md5('BITRIX' . $key . 'LICENCE');
    }
}
