<?php
namespace Boxlift\Standin;

use Bitrix\Main\Application;

/** One file a value below /bitrix/managed_cache. */
final class FileStore
{
    private string $folder;

    public function __construct()
    {
        $this->folder = Application::getDocumentRoot() . '/bitrix/managed_cache/MYSQL';
    }

    public function read(string $key, int $ttl): mixed
    {
        $file = $this->file($key);
        if (!is_file($file) || filemtime($file) + $ttl < time()) {
            return null;
        }
        $read = unserialize((string)file_get_contents($file), ['allowed_classes' => false]);
        return $read === false ? null : $read;
    }

    public function write(string $key, mixed $value): void
    {
        if (!is_dir($this->folder)) {
            mkdir($this->folder, 0755, true);
        }
        $new = tempnam($this->folder, 'new');
        file_put_contents($new, serialize($value));
        rename($new, $this->file($key));
    }

    public function clean(string $key): void
    {
        if (is_file($this->file($key))) {
            unlink($this->file($key));
        }
    }

    public function cleanAll(): void
    {
        array_map('unlink', glob($this->folder . '/*') ?: []);
    }

    private function file(string $key): string
    {
        return $this->folder . '/' . md5($key) . '.php';
    }
}
