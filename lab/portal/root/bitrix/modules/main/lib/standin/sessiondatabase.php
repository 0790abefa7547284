<?php
namespace Boxlift\Standin;

final class SessionDatabase implements \SessionHandlerInterface
{
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
        return (string)Db::value('SELECT SESSION_DATA FROM b_user_session WHERE SESSION_ID = ?', [$id]);
    }

    public function write(string $id, string $data): bool
    {
        Db::run('REPLACE INTO b_user_session (SESSION_ID, SESSION_DATA, TIMESTAMP_X) VALUES (?, ?, NOW())', [$id, $data]);
        return true;
    }

    public function destroy(string $id): bool
    {
        Db::run('DELETE FROM b_user_session WHERE SESSION_ID = ?', [$id]);
        return true;
    }

    public function gc(int $lifetime): int
    {
        return Db::run('DELETE FROM b_user_session WHERE TIMESTAMP_X < NOW() - INTERVAL ? SECOND', [$lifetime]);
    }
}
