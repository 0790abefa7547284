<?php
namespace Boxlift\Standin;

use Bitrix\Main\Application;
use Bitrix\Main\ModuleManager;

/** Tables and first rows of a module, from its install/db/mysql/*.sql; statements end with a line `;`. */
final class Schema
{
    public static function install(string $module): void
    {
        $folder = Application::getDocumentRoot() . "/bitrix/modules/$module/install/db/mysql";
        foreach (['install.sql', 'data.sql'] as $name) {
            if (is_file("$folder/$name")) {
                foreach (preg_split('/;\n/', (string)file_get_contents("$folder/$name")) as $statement) {
                    if (trim($statement) !== '') {
                        Db::run($statement);
                    }
                }
            }
        }
        ModuleManager::registerModule($module);
    }
}
