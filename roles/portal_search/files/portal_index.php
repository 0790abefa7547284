<?php
/**
 * Builds the indexes of a portal one after the other, in steps that may be cut off at any moment.
 *
 * php portal_index.php CONFIG, as the user that PHP runs as. CONFIG is JSON:
 *   root     document root of the release
 *   state    file that keeps what is done; its folder must be writable
 *   seconds  length of a step; after each the state is written
 *   indexes  list of {id, module, kind, …}; kinds:
 *     site     CSearch::ReIndexAll, which hands its position back (portal_runtime F2)
 *     agent    class with getInstance()->enable() and doRun() (F3)
 *     stepper  class with execAgent(), called until it returns an empty text (F3); `restart` begins it anew
 *     types    class::method(ENTITY_TYPE_ID)->bulkBuild(IDs) for the rows of each TABLE_NAME in `table` (F3)
 *     records  class::method(ID) for each row of `table` that has none in `index` (`key` names its column)
 *
 * An index that is done and `empty` had nothing to hold, which is not the same as one that was emptied later.
 * `variant` of an index is noted with it: one that was built for another variant is built again.
 *
 * Ends with 0 when all is done, 1 when an index failed for good or the state cannot be kept, 2 after a failure that is worth another start,
 * 75 when a fresh process should go on. An index that ended PHP three times in a row has failed.
 *
 * What it says of an error, in the state and on standard error, is class and place: anybody on the host may read it.
 */

const TRIES = 3;
const BATCH = 100;
const ENOUGH_MEMORY = 402653184;
const OVER = ['done', 'absent', 'failed'];

$config = json_decode((string)file_get_contents($argv[1]), true, 512, JSON_THROW_ON_ERROR);
$state = is_file($config['state']) ? json_decode((string)file_get_contents($config['state']), true) : null;
$state = is_array($state['indexes'] ?? null) ? $state : ['indexes' => []];

$_SERVER['DOCUMENT_ROOT'] = $DOCUMENT_ROOT = $config['root'];
foreach (['NO_KEEP_STATISTIC', 'NOT_CHECK_PERMISSIONS', 'NO_AGENT_CHECK', 'BX_WITH_ON_AFTER_EPILOG',
    'BX_NO_ACCELERATOR_RESET', 'STOP_STATISTICS'] as $name) {
    define($name, true);
}
set_time_limit(0);
chdir($config['root']);
ob_start(static fn (string $text): string => '');
require $config['root'] . '/bitrix/modules/main/include/prolog_before.php';
// What the loop below does not catch: before it, and at the end. The portal has set a handler of its own.
set_exception_handler(static function (\Throwable $thrown) use ($config): void {
    fwrite(STDERR, place($thrown, $config['root']) . "\n");
    exit(2);
});

function identifier(string $name): string
{
    if (!preg_match('/^[A-Za-z_]\w*$/', $name)) {
        throw new \InvalidArgumentException("$name is no name of a table or column");
    }
    return "`$name`";
}

function number(string $sql): int
{
    $row = \Bitrix\Main\Application::getConnection()->query($sql)->fetch();
    return $row ? (int)reset($row) : 0;
}

function hasColumn(string $table, string $column): bool
{
    return number('SELECT COUNT(*) FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE()'
        . " AND TABLE_NAME = '" . trim(identifier($table), '`') . "' AND COLUMN_NAME = '"
        . trim(identifier($column), '`') . "'") > 0;
}

/** Class and place of an error. Its text may quote a statement of SQL, and with it what people wrote. */
function place(\Throwable $thrown, string $root): string
{
    $file = $thrown->getFile();
    $file = str_starts_with($file, "$root/") ? substr($file, strlen($root) + 1) : basename($file);
    $code = $thrown->getCode() === 0 ? '' : " ({$thrown->getCode()})";
    return get_class($thrown) . "$code in $file:{$thrown->getLine()}";
}

/** Why the portal cannot build this index at all, or an empty text. */
function lack(array $index): string
{
    if (!\Bitrix\Main\Loader::includeModule($index['module'])) {
        return "the portal has no module {$index['module']}";
    }
    foreach ([$index['table'] ?? null, $index['index'] ?? null] as $table) {
        if ($table !== null && !\Bitrix\Main\Application::getConnection()->isTableExists($table)) {
            return "the portal has no table $table";
        }
    }
    $class = $index['class'] ?? 'CSearch';
    $method = ['site' => 'ReIndexAll', 'agent' => 'doRun', 'stepper' => 'execAgent'][$index['kind']] ?? $index['method'];
    return is_callable([$class, $method]) ? '' : "the portal has no $class::$method";
}

/** Whether an index that was built holds nothing: there was nothing that it could hold. */
function isEmpty(array $index): bool
{
    if (isset($index['index'])) {
        return number('SELECT EXISTS (SELECT 1 FROM ' . identifier($index['index']) . ')') === 0;
    }
    if (!isset($index['table'], $index['column']) || !hasColumn($index['table'], $index['column'])) {
        return false;
    }
    return number('SELECT EXISTS (SELECT 1 FROM ' . identifier($index['table']) . ' WHERE COALESCE('
        . identifier($index['column']) . ", '') <> '')") === 0;
}

/** Steps and length that a stepper or an agent keeps in an option: [done, total], zeros where it keeps none. */
function kept(string $module, string $name, string $done, string $total): array
{
    $text = (string)\Bitrix\Main\Config\Option::get($module, $name, '');
    $data = $text === '' ? [] : @unserialize($text, ['allowed_classes' => false]);
    return is_array($data) ? [(int)($data[$done] ?? 0), (int)($data[$total] ?? 0)] : [0, 0];
}

/** One step. Takes and returns what is known of the index: position, done, total, and whether it is finished. */
function step(array $index, array $known, int $seconds): array
{
    $until = time() + $seconds;
    $class = $index['class'] ?? '';
    $fresh = ($known['position'] ?? null) === null;
    switch ($index['kind']) {
        case 'site':
            $position = $fresh ? [] : $known['position'];
            $position = \CSearch::ReIndexAll(true, max(1, $seconds), $position, false);
            $finished = !is_array($position);
            $done = $finished ? (int)$position : (int)($position['CNT'] ?? 0);
            return ['position' => $finished ? 0 : $position, 'done' => $done, 'total' => $finished ? $done : null,
                'finished' => $finished];
        case 'agent':
            if ($fresh) {
                $class::getInstance()->enable(false);
                $class::getInstance()->enable(true);
            }
            do {
                $goesOn = (bool)$class::doRun();
                if ($goesOn) {
                    [$done, $total] = kept($index['module'], $index['progress'], 'PROCESSED_ITEMS', 'TOTAL_ITEMS');
                }
            } while ($goesOn && time() < $until);
            $total = $total ?? $known['total'] ?? 0;
            return ['position' => 1, 'done' => $goesOn ? $done : $total, 'total' => $total, 'finished' => !$goesOn];
        case 'stepper':
            if ($fresh && isset($index['restart'])) {
                [$class, $index['restart']]();
            }
            do {
                $goesOn = (string)$class::execAgent() !== '';
                if ($goesOn) {
                    [$done, $total] = kept('main.stepper.' . $index['module'], $class, 'steps', 'count');
                }
            } while ($goesOn && time() < $until);
            $total = $total ?? $known['total'] ?? 0;
            return ['position' => 1, 'done' => $goesOn ? $done : $total, 'total' => $total, 'finished' => !$goesOn];
        case 'types':
            return types($index, $known, $until);
        default:
            return records($index, $known, $until);
    }
}

/** One step over the rows of a table, by ID; rows that the index has are left out where its key is known. */
function records(array $index, array $known, int $until): array
{
    $table = identifier($index['table']);
    $last = (int)($known['position'] ?? 0);
    $lacking = '';
    if (isset($index['index'], $index['key']) && hasColumn($index['index'], $index['key'])) {
        $key = identifier($index['key']);
        $lacking = ' AND NOT EXISTS (SELECT 1 FROM ' . identifier($index['index']) . " i WHERE i.$key = s.ID)";
    }
    $where = isset($index['where']) ? " AND ({$index['where']})" : '';
    $total = $known['total'] ?? number("SELECT COUNT(*) FROM $table s WHERE TRUE$where$lacking");
    $done = (int)($known['done'] ?? 0);
    do {
        $rows = \Bitrix\Main\Application::getConnection()->query(
            "SELECT s.ID FROM $table s WHERE s.ID > $last$where$lacking ORDER BY s.ID LIMIT " . BATCH
        )->fetchAll();
        foreach ($rows as $row) {
            [$index['class'], $index['method']]((int)$row['ID']);
            $last = (int)$row['ID'];
            $done++;
        }
    } while (count($rows) === BATCH && time() < $until);
    return ['position' => $last, 'done' => $done, 'total' => max($total, $done), 'finished' => count($rows) < BATCH];
}

/** One step over the cards of each type that a portal's people made; the position is [type, last ID]. */
function types(array $index, array $known, int $until): array
{
    $connection = \Bitrix\Main\Application::getConnection();
    [$type, $last] = $known['position'] ?? [0, 0];
    $made = $connection->query('SELECT ENTITY_TYPE_ID, TABLE_NAME FROM ' . identifier($index['table'])
        . ' WHERE ENTITY_TYPE_ID >= ' . (int)$type . ' ORDER BY ENTITY_TYPE_ID')->fetchAll();
    $tables = array_filter(
        array_column($made, 'TABLE_NAME', 'ENTITY_TYPE_ID'),
        static fn (string $table): bool => $connection->isTableExists($table)
    );
    $total = $known['total'] ?? array_sum(array_map(
        static fn (string $table): int => number('SELECT COUNT(*) FROM ' . identifier($table)),
        $tables
    ));
    $done = (int)($known['done'] ?? 0);
    foreach ($tables as $number => $table) {
        $last = $number === (int)$type ? (int)$last : 0;
        $type = $number;
        $builder = [$index['class'], $index['method']]($type);
        do {
            $ids = array_map('intval', array_column($connection->query(
                'SELECT ID FROM ' . identifier($table) . " WHERE ID > $last ORDER BY ID LIMIT " . BATCH
            )->fetchAll(), 'ID'));
            if ($ids !== []) {
                $builder->bulkBuild($ids);
                $last = end($ids);
                $done += count($ids);
                if (time() >= $until) {
                    return ['position' => [$type, $last], 'done' => $done, 'total' => max($total, $done),
                        'finished' => false];
                }
            }
        } while (count($ids) === BATCH);
    }
    return ['position' => [(int)$type, (int)$last], 'done' => $done, 'total' => max($total, $done), 'finished' => true];
}

$save = static function () use (&$state, $config): void {
    $state['updated'] = time();
    $new = $config['state'] . '.new';
    $text = json_encode($state, JSON_THROW_ON_ERROR | JSON_INVALID_UTF8_SUBSTITUTE);
    $file = fopen($new, 'w');
    if ($file === false || fwrite($file, $text) !== strlen($text) || !fflush($file) || !fsync($file)) {
        // A full disk: another start would not get further.
        fwrite(STDERR, "$new cannot be written\n");
        exit(1);
    }
    fclose($file);
    rename($new, $config['state']);
};

$code = 0;
foreach ($config['indexes'] as $index) {
    $known = &$state['indexes'][$index['id']];
    $known = is_array($known) ? $known : ['state' => 'waiting', 'tries' => 0, 'position' => null, 'done' => 0, 'total' => null];
    try {
        if (!in_array($known['state'], OVER, true) && ($why = lack($index)) !== '') {
            $known = ['state' => 'absent', 'note' => $why] + $known;
            $save();
        }
        $began = microtime(true);
        $before = (int)$known['done'];
        while (!in_array($known['state'], OVER, true)) {
            if ($known['tries'] >= TRIES) {
                $known['state'] = 'failed';
                $known['note'] = ($known['note'] ?? '') ?: 'PHP ended on it ' . TRIES . ' times';
                $save();
                break;
            }
            $known['state'] = 'running';
            $known['tries']++;
            $known['variant'] = $index['variant'] ?? null;
            $save();
            $reached = step($index, $known, (int)$config['seconds']);
            $took = max(0.001, microtime(true) - $began);
            $known = ['state' => $reached['finished'] ? 'done' : 'running', 'tries' => 0, 'note' => '',
                'rate' => round(($reached['done'] - $before) / $took, 1)] + $reached + $known;
            unset($known['finished']);
            if ($known['state'] === 'done') {
                $known['empty'] = isEmpty($index);
            }
            $save();
            if (memory_get_usage() > ENOUGH_MEMORY) {
                exit(75);
            }
        }
    } catch (\Throwable $thrown) {
        $known['note'] = place($thrown, $config['root']);
        $save();
        fwrite(STDERR, "{$index['id']}: {$known['note']}\n");
        exit(2);
    }
    $code = $known['state'] === 'failed' ? 1 : $code;
    unset($known);
}
\CMain::FinalActions();
exit($code);
