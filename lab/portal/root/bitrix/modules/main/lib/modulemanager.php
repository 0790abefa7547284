<?php
namespace Bitrix\Main;

use Boxlift\Standin\Db;

final class ModuleManager
{
    private const CACHE_SECONDS = 3600;

    /** @return array<string, array{ID: string}> rows of b_module, from the managed cache */
    public static function getInstalledModules(): array
    {
        $cache = Application::getInstance()->getManagedCache();
        if ($cache->read(self::CACHE_SECONDS, 'b_module')) {
            return $cache->get('b_module');
        }
        $modules = [];
        foreach (Db::rows('SELECT ID FROM b_module') as $row) {
            $modules[$row['ID']] = $row;
        }
        $cache->set('b_module', $modules);
        return $modules;
    }

    public static function isModuleInstalled(string $moduleName): bool
    {
        return isset(self::getInstalledModules()[$moduleName]);
    }

    public static function registerModule(string $moduleName): void
    {
        Db::run('REPLACE INTO b_module (ID, DATE_ACTIVE) VALUES (?, NOW())', [$moduleName]);
        Application::getInstance()->getManagedCache()->clean('b_module');
    }

    public static function unRegisterModule(string $moduleName): void
    {
        Db::run('DELETE FROM b_module WHERE ID = ?', [$moduleName]);
        Db::run('DELETE FROM b_agent WHERE MODULE_ID = ?', [$moduleName]);
        Application::getInstance()->getManagedCache()->clean('b_module');
    }
}
