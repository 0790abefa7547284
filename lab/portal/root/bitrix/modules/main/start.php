<?php
// What happens before any query: constants, classes, configuration, dbconn.php.
if (empty($_SERVER['DOCUMENT_ROOT'])) {
    $_SERVER['DOCUMENT_ROOT'] = dirname(__DIR__, 3);
}
error_reporting(E_ALL & ~E_NOTICE & ~E_DEPRECATED & ~E_WARNING);
require_once __DIR__ . '/lib/loader.php';
require_once __DIR__ . '/tools.php';
spl_autoload_register(['\Bitrix\Main\Loader', 'autoLoad']);
\Boxlift\Standin\Kernel::boot();
