<?php
namespace Boxlift\Standin;

use Bitrix\Main\Application;
use Bitrix\Main\Config\Configuration;
use Bitrix\Main\Config\Option;

/** b_option beats .settings.php beats php_interface/pull.php beats the module's defaults (portal_runtime E1). */
final class PullSettings
{
    private const DEFAULTS = [
        'nginx' => 'N',
        'nginx_version' => '2',
        'nginx_headers' => 'Y',
        'websocket' => 'Y',
        'push' => 'N',
        'guest' => 'N',
        'server_mode' => 'personal',
        'signature_key' => '',
        'signature_algo' => 'sha1',
        'path_to_publish' => 'http://127.0.0.1:8895/bitrix/pub/',
        'path_to_listener' => 'http://#DOMAIN#/bitrix/sub/',
        'path_to_listener_secure' => 'https://#DOMAIN#/bitrix/sub/',
        'path_to_websocket' => 'ws://#DOMAIN#/bitrix/subws/',
        'path_to_websocket_secure' => 'wss://#DOMAIN#/bitrix/subws/',
    ];

    public static function value(string $name): string
    {
        $stored = Option::getRealValue('pull', $name);
        if ($stored !== null) {
            return $stored;
        }
        if ($name !== 'server_mode') {
            $settings = Configuration::getValue('pull') ?? [];
            if (isset($settings[$name])) {
                return (string)$settings[$name];
            }
            $file = Application::getDocumentRoot() . '/bitrix/php_interface/pull.php';
            if (is_file($file)) {
                $pull_default_option = [];
                include $file;
                if (isset($pull_default_option[$name])) {
                    return (string)$pull_default_option[$name];
                }
            }
        }
        return self::DEFAULTS[$name] ?? '';
    }

    public static function url(string $name): string
    {
        return str_replace('#DOMAIN#', Links::host(), self::value($name));
    }
}
