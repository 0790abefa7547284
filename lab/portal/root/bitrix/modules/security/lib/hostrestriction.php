<?php
namespace Bitrix\Security;

use Bitrix\Main\Config\Option;
use Boxlift\Standin\Page;

final class HostRestriction
{
    /** A request under a host that is not listed is stopped (portal_runtime B2.6, D2). */
    public static function onPageStart(): void
    {
        $hosts = preg_split('/\s+/', Option::get('security', 'restriction_hosts_hosts'), -1, PREG_SPLIT_NO_EMPTY);
        $host = preg_replace('/:\d+$/', '', (string)($_SERVER['HTTP_HOST'] ?? ''));
        if ($hosts !== [] && !in_array($host, $hosts, true) && Option::get('security', 'restriction_hosts_action', 'stop') === 'stop') {
            Page::problem(403, 'host_restricted', 'This host is not allowed.');
            exit;
        }
    }
}
