<?php
// Cron's entry: agents that are not periodic, then the mail queue; both heed their switches (portal_runtime A6).
$_SERVER['DOCUMENT_ROOT'] = dirname(__DIR__, 4);
define('NO_KEEP_STATISTIC', true);
define('NOT_CHECK_PERMISSIONS', true);
define('BX_WITH_ON_AFTER_EPILOG', true);
define('BX_NO_ACCELERATOR_RESET', true);
define('BX_CRONTAB', true);
set_time_limit(0);
require $_SERVER['DOCUMENT_ROOT'] . '/bitrix/modules/main/include/prolog_before.php';

use Bitrix\Main\Config\Option;
use Bitrix\Main\Loader;

if (Option::get('main', 'check_agents', 'Y') === 'Y') {
    CAgent::CheckAgents();
}
if (Option::get('main', 'check_events', 'Y') === 'Y') {
    CEvent::CheckEvents();
    if (Loader::includeModule('sender')) {
        \Bitrix\Sender\MailingManager::checkSend();
    }
}
CMain::FinalActions();
