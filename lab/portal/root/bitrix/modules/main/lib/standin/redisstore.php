<?php
namespace Boxlift\Standin;

/** Values in Redis under the portal's own sid; the sid counts only inside the section's value (portal_runtime A7). */
final class RedisStore
{
    private \Redis $redis;
    private string $prefix;

    /** @param array<string, mixed> $settings value of the section cache */
    public function __construct(array $settings)
    {
        $this->redis = RedisClient::connect(($settings['redis'] ?? []) + $settings);
        $this->prefix = ($settings['sid'] ?? 'BX') . '|managed|';
    }

    public function read(string $key, int $ttl): mixed
    {
        $text = $this->redis->get($this->prefix . $key);
        return is_string($text) ? unserialize($text, ['allowed_classes' => false]) : null;
    }

    public function write(string $key, mixed $value): void
    {
        $this->redis->setex($this->prefix . $key, 3600, serialize($value));
    }

    public function clean(string $key): void
    {
        $this->redis->del($this->prefix . $key);
    }

    public function cleanAll(): void
    {
        foreach ($this->redis->keys($this->prefix . '*') as $key) {
            $this->redis->del($key);
        }
    }
}
