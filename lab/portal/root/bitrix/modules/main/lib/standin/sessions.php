<?php
namespace Boxlift\Standin;

use Bitrix\Main\Config\Configuration;

/** Sessions as the section `session` says; kernel and general data share one store here (portal_runtime A7). */
final class Sessions
{
    public static function start(): void
    {
        $settings = Configuration::getValue('session') ?? [];
        $general = $settings['handlers']['general'] ?? ['type' => 'file'];
        $lifetime = (int)($settings['lifetime'] ?? ini_get('session.gc_maxlifetime'));
        $type = is_array($general) ? ($general['type'] ?? 'file') : $general;
        switch ($type) {
            case 'redis':
                session_set_save_handler(new SessionRedis($general, $lifetime), true);
                break;
            case 'database':
                session_set_save_handler(new SessionDatabase(), true);
                break;
            case 'array':
            case 'null':
                $_SESSION = [];
                return;
        }
        $cookies = Configuration::getValue('cookies') ?? [];
        session_set_cookie_params([
            'path' => '/',
            'httponly' => (bool)($cookies['http_only'] ?? true),
            'secure' => (bool)($cookies['secure'] ?? false),
            'samesite' => 'Lax',
        ]);
        if (!session_start()) {
            throw new \RuntimeException('the session cannot be started');
        }
    }

    public static function isolate(): void
    {
        if (session_status() === PHP_SESSION_ACTIVE) {
            session_regenerate_id(true);
        }
    }
}
