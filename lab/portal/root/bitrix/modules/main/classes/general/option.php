<?php

use Bitrix\Main\Config\Option;

/** The old names of Option. */
class COption
{
    public static function GetOptionString(string $moduleId, string $name, string $default = ''): string
    {
        return Option::get($moduleId, $name, $default);
    }

    public static function SetOptionString(string $moduleId, string $name, string $value = ''): bool
    {
        Option::set($moduleId, $name, $value);
        return true;
    }

    public static function RemoveOption(string $moduleId, string $name): bool
    {
        Option::delete($moduleId, ['name' => $name]);
        return true;
    }
}
