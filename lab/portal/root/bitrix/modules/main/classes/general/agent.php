<?php

use Bitrix\Main\Config\Option;
use Boxlift\Standin\Db;

/** Background work kept in b_agent (portal_runtime A6). */
class CAgent
{
    private const LOCK_SECONDS = 600;
    private const LIMIT_CRON = 1000;
    private const LIMIT_WEB = 100;

    public static function AddAgent(
        string $name,
        string $module = '',
        string $period = 'N',
        int $interval = 86400,
        string $datecheck = '',
        string $active = 'Y',
        string $nextExec = '',
    ): int {
        $known = Db::value('SELECT ID FROM b_agent WHERE NAME = ? AND USER_ID IS NULL', [$name]);
        return $known ? (int)$known : Db::insert('b_agent', [
            'MODULE_ID' => $module,
            'SORT' => 100,
            'NAME' => $name,
            'ACTIVE' => $active,
            'NEXT_EXEC' => $nextExec !== '' ? $nextExec : date('Y-m-d H:i:s', time() + $interval),
            'AGENT_INTERVAL' => $interval,
            'IS_PERIOD' => $period,
        ]);
    }

    public static function RemoveAgent(string $name, string $module = ''): void
    {
        Db::run('DELETE FROM b_agent WHERE NAME = ? AND MODULE_ID = ?', [$name, $module]);
    }

    /** Runs what is due; with cron support web hits take IS_PERIOD=Y only and cron takes the rest. */
    public static function CheckAgents(): int
    {
        if (defined('NO_AGENT_CHECK') && NO_AGENT_CHECK === true) {
            return 0;
        }
        $isCron = defined('BX_CRONTAB') && BX_CRONTAB === true;
        $cronOwns = (defined('BX_CRONTAB_SUPPORT') && BX_CRONTAB_SUPPORT === true)
            || Option::get('main', 'agents_use_crontab', 'N') === 'Y';
        if ($cronOwns) {
            return self::execute($isCron ? " AND IS_PERIOD = 'N'" : " AND IS_PERIOD = 'Y'", $isCron);
        }
        return $isCron ? 0 : self::execute('', false);
    }

    private static function execute(string $condition, bool $isCron): int
    {
        $limit = $isCron ? self::LIMIT_CRON : self::LIMIT_WEB;
        $lock = Db::value('SELECT GET_LOCK(CONCAT(DATABASE(), ?), 0)', ['_agent']);
        if ((int)$lock !== 1) {
            return 0;
        }
        $due = Db::rows("SELECT ID, NAME, MODULE_ID, IS_PERIOD, AGENT_INTERVAL FROM b_agent WHERE ACTIVE = 'Y'"
            . ' AND NEXT_EXEC <= NOW() AND (DATE_CHECK IS NULL OR DATE_CHECK <= NOW())'
            . "$condition ORDER BY RUNNING, SORT DESC LIMIT $limit");
        if ($due !== []) {
            Db::run('UPDATE b_agent SET DATE_CHECK = NOW() + INTERVAL ' . self::LOCK_SECONDS . ' SECOND WHERE ID IN ('
                . implode(',', array_map('intval', array_column($due, 'ID'))) . ')');
        }
        Db::value('SELECT RELEASE_LOCK(CONCAT(DATABASE(), ?))', ['_agent']);
        foreach ($due as $agent) {
            self::run($agent);
        }
        return count($due);
    }

    /** @param array<string, mixed> $agent */
    private static function run(array $agent): void
    {
        $id = (int)$agent['ID'];
        $module = (string)$agent['MODULE_ID'];
        if ($module !== '' && !\Bitrix\Main\Loader::includeModule($module)) {
            return;
        }
        Db::run("UPDATE b_agent SET RUNNING = 'Y' WHERE ID = ?", [$id]);
        $next = $agent['IS_PERIOD'] === 'Y' ? 'NEXT_EXEC' : 'NOW()';
        try {
            $name = (static fn (string $code): mixed => eval('return ' . $code))(rtrim((string)$agent['NAME'], "; \n") . ';');
        } catch (\Throwable $error) {
            error_log("agent $id: " . $error->getMessage());
            Db::run("UPDATE b_agent SET RUNNING = 'N', DATE_CHECK = NULL, LAST_EXEC = NOW(), RETRY_COUNT = RETRY_COUNT + 1,"
                . " NEXT_EXEC = $next + INTERVAL AGENT_INTERVAL SECOND WHERE ID = ?", [$id]);
            return;
        }
        if ((string)$name === '') {
            Db::run('DELETE FROM b_agent WHERE ID = ?', [$id]);
            return;
        }
        Db::run("UPDATE b_agent SET NAME = ?, RUNNING = 'N', DATE_CHECK = NULL, LAST_EXEC = NOW(), RETRY_COUNT = 0,"
            . " NEXT_EXEC = $next + INTERVAL AGENT_INTERVAL SECOND WHERE ID = ?", [(string)$name, $id]);
    }
}
