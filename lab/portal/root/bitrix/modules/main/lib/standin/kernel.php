<?php
namespace Boxlift\Standin;

use Bitrix\Main\Application;
use Bitrix\Main\Config\Option;
use Bitrix\Main\Loader;

/** The order of a request: files, database, handlers, session, background work, header. */
final class Kernel
{
    public const DEFAULT_SITE = 's1';

    public static function boot(): void
    {
        $dbconn = Application::getDocumentRoot() . '/bitrix/php_interface/dbconn.php';
        if (is_file($dbconn)) {
            require_once $dbconn;
        }
        if (PHP_SAPI !== 'cli') {
            set_exception_handler([self::class, 'fail']);
        }
    }

    public static function prolog(): void
    {
        global $USER, $APPLICATION, $DB;
        $DB = Application::getConnection();
        $DB->connect();
        $site = Db::row('SELECT LID, SERVER_NAME, LANGUAGE_ID FROM b_lang WHERE ACTIVE = ? ORDER BY DEF DESC, SORT',
            ['Y']) ?? ['LID' => self::DEFAULT_SITE, 'SERVER_NAME' => '', 'LANGUAGE_ID' => 'ru'];
        define('SITE_ID', $site['LID']);
        define('LANGUAGE_ID', $site['LANGUAGE_ID']);
        define('SITE_SERVER_NAME', (string)$site['SERVER_NAME']);
        $init = Application::getDocumentRoot() . '/local/php_interface/init.php';
        foreach ([$init, Application::getDocumentRoot() . '/bitrix/php_interface/init.php'] as $file) {
            if (is_file($file)) {
                ob_start();
                include_once $file;
                ob_end_clean();
                break;
            }
        }
        $APPLICATION = new \CMain();
        if (PHP_SAPI === 'cli') {
            $USER = new \CUser();
            return;
        }
        header('X-Powered-CMS: Bitrix Site Manager (' . License::publicHash() . ')');
        if (Option::get('main', 'update_devsrv', 'N') === 'Y') {
            header('X-DevSrv-CMS: Bitrix');
        }
        Handlers::run('main', 'OnPageStart');
        Sessions::start();
        $USER = new \CUser();
        if (!defined('NO_AGENT_CHECK')) {
            self::background();
        }
    }

    /** Agents and the mail queue on a web hit, unless cron owns them (portal_runtime A6). */
    private static function background(): void
    {
        if (Option::get('main', 'check_agents', 'Y') === 'Y') {
            \CAgent::CheckAgents();
        }
        $cron = defined('BX_CRONTAB_SUPPORT') && BX_CRONTAB_SUPPORT;
        if (!$cron && Option::get('main', 'check_events', 'Y') === 'Y') {
            \CEvent::CheckEvents();
        }
    }

    public static function fail(\Throwable $error): void
    {
        error_log(get_class($error) . ': ' . $error->getMessage() . ' in ' . $error->getFile() . ':' . $error->getLine());
        if (!headers_sent()) {
            http_response_code(500);
            header('Content-Type: text/html; charset=UTF-8');
        }
        echo '<!doctype html><title>Error</title><p id="error" data-class="' . htmlspecialcharsbx(get_class($error)) . '">'
            . 'The page cannot be shown. The reason is in the log.</p>';
    }

    public static function isCloud(): bool
    {
        return defined('BX24_HOST_NAME') || IsModuleInstalled('bitrix24');
    }
}
