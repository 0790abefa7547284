<?php
namespace Bitrix\Main;

use Bitrix\Main\Config\Configuration;
use Bitrix\Main\Data\ManagedCache;
use Bitrix\Main\DB\MysqliConnection;

class Application
{
    private static ?self $instance = null;
    private ?ManagedCache $managedCache = null;
    private ?MysqliConnection $connection = null;

    public static function getInstance(): self
    {
        return self::$instance ??= new self();
    }

    public static function getDocumentRoot(): string
    {
        return rtrim($_SERVER['DOCUMENT_ROOT'], '/');
    }

    public static function getConnection(): MysqliConnection
    {
        $application = self::getInstance();
        if ($application->connection === null) {
            $settings = Configuration::getValue('connections')['default'] ?? null;
            if (!is_array($settings)) {
                throw new \RuntimeException('.settings.php has no connections/default');
            }
            $class = ltrim((string)($settings['className'] ?? ''), '\\');
            if ($class !== MysqliConnection::class) {
                throw new \RuntimeException("connection class $class is not supported");
            }
            $application->connection = new MysqliConnection($settings);
        }
        return $application->connection;
    }

    public function getManagedCache(): ManagedCache
    {
        return $this->managedCache ??= new ManagedCache();
    }
}
