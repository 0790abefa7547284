<?php
namespace Bitrix\Main\Data;

use Bitrix\Main\Application;

final class Cache
{
    public static function clearCache(bool $full = true, string $initDir = ''): bool
    {
        Application::getInstance()->getManagedCache()->cleanAll();
        return true;
    }
}
