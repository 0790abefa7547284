<?php
// Global functions under the product's names.

function htmlspecialcharsbx(mixed $text): string
{
    return htmlspecialchars((string)$text, ENT_COMPAT, 'UTF-8');
}

function IsModuleInstalled(string $moduleId): bool
{
    return \Bitrix\Main\ModuleManager::isModuleInstalled($moduleId);
}

/** Empties all caches. */
function BXClearCache(bool $full = false, string $initDir = ''): bool
{
    return \Bitrix\Main\Data\Cache::clearCache($full, $initDir);
}

/** Hands one letter over: .settings smtp, else custom_mail(), else mail() (portal_runtime G "Delivery"). */
function bxmail(string $to, string $subject, string $message, string $headers = '', string $parameters = ''): bool
{
    $smtp = \Bitrix\Main\Config\Configuration::getValue('smtp') ?? [];
    if (!empty($smtp['enabled']) && !empty($smtp['host']) && !empty($smtp['login'])) {
        return \Boxlift\Standin\Smtp::send($smtp, $to, $subject, $message, $headers);
    }
    if (function_exists('custom_mail')) {
        return (bool)custom_mail($to, $subject, $message, $headers, $parameters);
    }
    return mail($to, $subject, $message, $headers, $parameters);
}
