<?php
namespace Boxlift\Standin;

final class SessionRedis implements \SessionHandlerInterface
{
    private \Redis $redis;
    private string $prefix;

    /** @param array<string, mixed> $settings host, port, password, keyPrefix */
    public function __construct(array $settings, private readonly int $lifetime)
    {
        $this->redis = RedisClient::connect($settings);
        $this->prefix = ($settings['keyPrefix'] ?? 'BX') . 'session_';
    }

    public function open(string $path, string $name): bool
    {
        return true;
    }

    public function close(): bool
    {
        return true;
    }

    public function read(string $id): string
    {
        return (string)$this->redis->get($this->prefix . $id);
    }

    public function write(string $id, string $data): bool
    {
        return (bool)$this->redis->setex($this->prefix . $id, $this->lifetime, $data);
    }

    public function destroy(string $id): bool
    {
        $this->redis->del($this->prefix . $id);
        return true;
    }

    public function gc(int $lifetime): int
    {
        return 0;
    }
}
