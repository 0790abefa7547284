<?php
namespace Boxlift\Standin;

use Bitrix\Main\Application;
use Bitrix\Main\ModuleManager;

/** Tables of a module from its install.sql, and the stand-in's first rows; statements end with `;` and a line end. */
final class Schema
{
    public static function install(string $module): void
    {
        $schema = Application::getDocumentRoot() . "/bitrix/modules/$module/install/db/mysql/install.sql";
        foreach ([$schema, __DIR__ . "/data/$module.sql"] as $file) {
            if (is_file($file)) {
                foreach (preg_split('/;\n/', (string)file_get_contents($file)) as $statement) {
                    if (trim($statement) !== '') {
                        Db::run($statement);
                    }
                }
            }
        }
        ModuleManager::registerModule($module);
    }
}
