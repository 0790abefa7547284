<?php
namespace Boxlift\Standin;

final class RedisClient
{
    /** @param array<string, mixed> $settings host (or unix:///path with port 0), port, password, timeout */
    public static function connect(array $settings): \Redis
    {
        $redis = new \Redis();
        $host = (string)($settings['host'] ?? '127.0.0.1');
        $redis->connect(preg_replace('~^unix://~', '', $host), (int)($settings['port'] ?? 6379), 3.0);
        if (!empty($settings['password'])) {
            $redis->auth((string)$settings['password']);
        }
        return $redis;
    }
}
