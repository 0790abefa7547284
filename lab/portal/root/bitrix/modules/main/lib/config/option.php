<?php
namespace Bitrix\Main\Config;

use Bitrix\Main\Application;
use Boxlift\Standin\Db;

/** b_option behind the managed cache: raw SQL edits stay unseen until it is purged (portal_runtime C5, 0.6). */
final class Option
{
    private const CACHE_SECONDS = 3600;

    /** @var array<string, array<string, string|null>> */
    private static array $read = [];

    public static function get(string $moduleId, string $name, string $default = '', string|bool $siteId = false): string
    {
        $options = self::module($moduleId);
        return array_key_exists($name, $options) ? (string)$options[$name] : $default;
    }

    public static function getRealValue(string $moduleId, string $name, string|bool $siteId = false): ?string
    {
        return self::module($moduleId)[$name] ?? null;
    }

    public static function set(string $moduleId, string $name, mixed $value = '', string|bool $siteId = ''): void
    {
        $value = (string)$value;
        $known = Db::value('SELECT COUNT(*) FROM b_option WHERE MODULE_ID = ? AND NAME = ?', [$moduleId, $name]);
        if ($known) {
            Db::run('UPDATE b_option SET VALUE = ? WHERE MODULE_ID = ? AND NAME = ?', [$value, $moduleId, $name]);
        } else {
            Db::run('INSERT INTO b_option (MODULE_ID, NAME, VALUE) VALUES (?, ?, ?)', [$moduleId, $name, $value]);
        }
        self::forget($moduleId);
    }

    /** @param array{name?: string, site_id?: string} $filter without a name all options of the module go */
    public static function delete(string $moduleId, array $filter = []): void
    {
        if (isset($filter['name'])) {
            Db::run('DELETE FROM b_option WHERE MODULE_ID = ? AND NAME = ?', [$moduleId, $filter['name']]);
        } else {
            Db::run('DELETE FROM b_option WHERE MODULE_ID = ?', [$moduleId]);
        }
        self::forget($moduleId);
    }

    private static function forget(string $moduleId): void
    {
        unset(self::$read[$moduleId]);
        Application::getInstance()->getManagedCache()->clean("b_option:$moduleId");
    }

    /** @return array<string, string|null> */
    private static function module(string $moduleId): array
    {
        if (isset(self::$read[$moduleId])) {
            return self::$read[$moduleId];
        }
        $cache = Application::getInstance()->getManagedCache();
        $seconds = (int)(Configuration::getValue('cache_flags')['config_options'] ?? self::CACHE_SECONDS);
        $key = "b_option:$moduleId";
        if ($seconds > 0 && $cache->read($seconds, $key)) {
            return self::$read[$moduleId] = $cache->get($key);
        }
        $options = [];
        foreach (Db::rows('SELECT NAME, VALUE FROM b_option WHERE MODULE_ID = ?', [$moduleId]) as $row) {
            $options[$row['NAME']] = $row['VALUE'];
        }
        if ($seconds > 0) {
            $cache->set($key, $options);
        }
        return self::$read[$moduleId] = $options;
    }
}
