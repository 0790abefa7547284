<?php
namespace Bitrix\Main\Config;

use Bitrix\Main\Application;

/** .settings.php with sections replaced as a whole by .settings_extra.php (portal_runtime C1). */
final class Configuration
{
    /** @var array<string, array{value: mixed}>|null */
    private static ?array $sections = null;

    public static function getValue(string $name): mixed
    {
        self::$sections ??= self::load();
        return self::$sections[$name]['value'] ?? null;
    }

    /** @return array<string, array{value: mixed}> */
    private static function load(): array
    {
        $root = Application::getDocumentRoot();
        $sections = [];
        foreach (['/bitrix/.settings.php', '/bitrix/.settings_extra.php', '/local/.settings.php'] as $path) {
            if (is_file($root . $path)) {
                $read = include $root . $path;
                $sections = array_merge($sections, is_array($read) ? $read : []);
            }
        }
        return $sections;
    }
}
