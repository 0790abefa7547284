<?php
namespace Bitrix\Main\Data;

use Bitrix\Main\Config\Configuration;
use Boxlift\Standin\FileStore;
use Boxlift\Standin\RedisStore;

/** Small values kept between requests, in the engine that .settings.php names (portal_runtime A7). */
final class ManagedCache
{
    private FileStore|RedisStore|null $engine;

    /** @var array<string, mixed> */
    private array $values = [];

    public function __construct()
    {
        $settings = Configuration::getValue('cache') ?? [];
        $type = $settings['type'] ?? 'files';
        $class = is_array($type) ? ltrim((string)($type['class_name'] ?? ''), '\\') : $type;
        if ($class === 'Bitrix\Main\Data\CacheEngineRedis' && extension_loaded('redis')) {
            $this->engine = new RedisStore($settings);
        } elseif ($class === 'files' || $class === 'Bitrix\Main\Data\CacheEngineFiles') {
            $this->engine = new FileStore();
        } else {
            $this->engine = null; // an engine whose extension is missing: nothing is kept
        }
    }

    public function read(int $ttl, string $uniqueId): bool
    {
        if (array_key_exists($uniqueId, $this->values)) {
            return true;
        }
        $value = $this->engine?->read($uniqueId, $ttl);
        if ($value === null) {
            return false;
        }
        $this->values[$uniqueId] = $value;
        return true;
    }

    public function get(string $uniqueId): mixed
    {
        return $this->values[$uniqueId] ?? false;
    }

    public function set(string $uniqueId, mixed $value): void
    {
        $this->values[$uniqueId] = $value;
        $this->engine?->write($uniqueId, $value);
    }

    public function clean(string $uniqueId): void
    {
        unset($this->values[$uniqueId]);
        $this->engine?->clean($uniqueId);
    }

    public function cleanAll(): void
    {
        $this->values = [];
        $this->engine?->cleanAll();
    }
}
