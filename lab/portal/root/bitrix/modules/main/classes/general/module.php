<?php

class CModule
{
    public static function IncludeModule(string $moduleName): bool
    {
        return \Bitrix\Main\Loader::includeModule($moduleName);
    }
}
