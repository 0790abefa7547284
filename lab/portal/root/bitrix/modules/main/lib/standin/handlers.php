<?php
namespace Boxlift\Standin;

use Bitrix\Main\Loader;

/** Event handlers registered in b_module_to_module; those of modules that are not usable are passed over. */
final class Handlers
{
    public static function run(string $module, string $event): void
    {
        $handlers = Db::rows('SELECT TO_MODULE_ID, TO_CLASS, TO_METHOD FROM b_module_to_module'
            . ' WHERE FROM_MODULE_ID = ? AND MESSAGE_ID = ? ORDER BY SORT', [$module, $event]);
        foreach ($handlers as $handler) {
            $call = [ltrim((string)$handler['TO_CLASS'], '\\'), (string)$handler['TO_METHOD']];
            if (Loader::includeModule($handler['TO_MODULE_ID']) && is_callable($call)) {
                $call();
            }
        }
    }
}
