<?php
namespace Boxlift\Standin;

use Bitrix\Main\Application;

/** What the product's installer refuses to go on without (portal_runtime 0.2, 0.4, A1, A2, A4). */
final class Requirements
{
    private const PHP = '8.1.0';
    private const MYSQL = '8.0.0';
    private const NGINX = '1.22.0';
    private const EXTENSIONS = ['mysqli', 'openssl', 'mbstring', 'hash', 'session'];
    private const WRITABLE = ['', '/bitrix', '/index.php', '/bitrix/modules', '/bitrix/admin'];

    /** @return list<string> */
    public static function problems(): array
    {
        $problems = [...self::php(), ...self::files()];
        return [...$problems, ...($problems === [] ? self::database() : [])];
    }

    /** @return list<string> */
    private static function php(): array
    {
        $problems = [];
        if (version_compare(PHP_VERSION, self::PHP, '<')) {
            $problems[] = 'PHP ' . self::PHP . ' or newer is required.';
        }
        foreach (self::EXTENSIONS as $extension) {
            if (!extension_loaded($extension)) {
                $problems[] = "PHP extension $extension is required.";
            }
        }
        if ((string)ini_get('date.timezone') === '') {
            $problems[] = 'date.timezone must be set.';
        }
        if (strtoupper((string)ini_get('default_charset')) !== 'UTF-8') {
            $problems[] = 'default_charset must be UTF-8.';
        }
        if (!in_array(strtoupper((string)ini_get('mbstring.internal_encoding')), ['', 'UTF-8'], true)) {
            $problems[] = 'mbstring.internal_encoding must be empty or equal to default_charset.';
        }
        $server = (string)($_SERVER['SERVER_SOFTWARE'] ?? '');
        if (preg_match('~nginx/([\d.]+)~i', $server, $found) && version_compare($found[1], self::NGINX, '<')) {
            $problems[] = 'nginx ' . self::NGINX . ' or newer is required.';
        }
        return $problems;
    }

    /** @return list<string> */
    private static function files(): array
    {
        $problems = [];
        foreach (self::WRITABLE as $path) {
            if (!is_writable(Application::getDocumentRoot() . $path)) {
                $problems[] = ($path === '' ? 'The document root' : $path) . ' must be writable.';
            }
        }
        return $problems;
    }

    /** @return list<string> */
    private static function database(): array
    {
        $row = Db::row('SELECT VERSION() AS version, @@SESSION.sql_mode AS mode, @@GLOBAL.innodb_strict_mode AS strict,'
            . ' @@default_storage_engine AS engine');
        $problems = [];
        if (version_compare((string)preg_replace('/[^\d.].*$/', '', (string)$row['version']), self::MYSQL, '<')) {
            $problems[] = 'MySQL ' . self::MYSQL . ' or newer is required.';
        }
        if ((string)$row['mode'] !== '') {
            $problems[] = 'sql_mode must be empty.';
        }
        if ((int)$row['strict'] !== 0) {
            $problems[] = 'innodb_strict_mode must be OFF.';
        }
        if ($row['engine'] !== 'InnoDB') {
            $problems[] = 'default_storage_engine must be InnoDB.';
        }
        return $problems;
    }
}
