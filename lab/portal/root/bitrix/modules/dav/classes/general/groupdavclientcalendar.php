<?php

use Boxlift\Standin\Db;
use Boxlift\Standin\Http;

class CDavGroupdavClientCalendar
{
    private const SECONDS = 3;

    /** Agent: asks every connected calendar for changes. */
    public static function DataSync(): string
    {
        $connections = Db::hasTable('b_dav_connections') && Db::hasColumn('b_dav_connections', 'SERVER_HOST')
            ? Db::rows("SELECT SERVER_HOST, SERVER_PORT FROM b_dav_connections WHERE COALESCE(IS_DELETED, 'N') <> 'Y'")
            : [];
        foreach ($connections as $connection) {
            Http::touch((string)$connection['SERVER_HOST'], (int)$connection['SERVER_PORT'], self::SECONDS);
        }
        return 'CDavGroupdavClientCalendar::DataSync();';
    }
}
