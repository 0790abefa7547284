<?php
namespace Bitrix\Main;

/** Modules are usable when they have a row in b_module and a folder (portal_runtime D4). */
final class Loader
{
    /** Classes without a namespace and the module that must be included before they exist. */
    private const CLASSES = [
        'CMain' => ['main', 'classes/general/main.php'],
        'CUser' => ['main', 'classes/general/user.php'],
        'CEvent' => ['main', 'classes/general/event.php'],
        'CAgent' => ['main', 'classes/general/agent.php'],
        'CModule' => ['main', 'classes/general/module.php'],
        'CFile' => ['main', 'classes/general/file.php'],
        'CDBResult' => ['main', 'classes/general/dbresult.php'],
        'COption' => ['main', 'classes/general/option.php'],
        'CSearch' => ['search', 'classes/general/search.php'],
        'CPullOptions' => ['pull', 'classes/general/pull_options.php'],
        'CPullStack' => ['pull', 'classes/general/pull_stack.php'],
        'CPullChannel' => ['pull', 'classes/general/pull_channel.php'],
        'CIMDisk' => ['im', 'classes/general/im_disk.php'],
        'CForumMessage' => ['forum', 'classes/general/message.php'],
        'CCrmLead' => ['crm', 'classes/general/crm_lead.php'],
        'CDavGroupdavClientCalendar' => ['dav', 'classes/general/groupdavclientcalendar.php'],
    ];

    /** @var array<string, bool> */
    private static array $included = ['main' => true];

    public static function includeModule(string $moduleName): bool
    {
        if (isset(self::$included[$moduleName])) {
            return self::$included[$moduleName];
        }
        $folder = Application::getDocumentRoot() . '/bitrix/modules/' . $moduleName;
        $usable = preg_match('/^[\w.]+$/', $moduleName)
            && ModuleManager::isModuleInstalled($moduleName)
            && is_dir($folder);
        self::$included[$moduleName] = $usable;
        if ($usable && is_file($folder . '/include.php')) {
            require_once $folder . '/include.php';
        }
        return $usable;
    }

    public static function autoLoad(string $class): void
    {
        $class = ltrim($class, '\\');
        if (isset(self::CLASSES[$class])) {
            [$module, $path] = self::CLASSES[$class];
        } elseif (str_starts_with($class, 'Boxlift\\Standin\\')) {
            $module = 'main';
            $path = 'lib/standin/' . self::toPath(substr($class, 16));
        } elseif (str_starts_with($class, 'Bitrix\\')) {
            [, $module, $rest] = explode('\\', $class, 3) + [2 => ''];
            $module = strtolower($module);
            $path = 'lib/' . self::toPath($rest);
        } else {
            return;
        }
        $file = dirname(__DIR__, 2) . "/$module/$path";
        if (($module === 'main' || !empty(self::$included[$module])) && is_file($file)) {
            require_once $file;
        }
    }

    private static function toPath(string $class): string
    {
        return strtolower(str_replace('\\', '/', $class)) . '.php';
    }
}
