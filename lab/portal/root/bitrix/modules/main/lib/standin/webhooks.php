<?php
namespace Boxlift\Standin;

use Bitrix\Main\Loader;

/**
 * Outgoing events to the handlers in b_rest_event. The product sends them through the vendor's cloud
 * (portal_runtime H); here they go straight to the handler, so that the lab sees each one.
 */
final class Webhooks
{
    private const SECONDS = 3;

    /** @var list<array{event: string, data: array<string, mixed>}> */
    private static array $queue = [];

    /** @param array<string, mixed> $data */
    public static function add(string $event, array $data): void
    {
        self::$queue[] = ['event' => $event, 'data' => $data];
    }

    public static function flush(): void
    {
        $queue = self::$queue;
        self::$queue = [];
        if ($queue === [] || !Loader::includeModule('rest') || !Db::hasTable('b_rest_event')) {
            return;
        }
        foreach ($queue as $item) {
            $handlers = Db::rows('SELECT e.EVENT_HANDLER, e.APPLICATION_TOKEN FROM b_rest_event e'
                . ' LEFT JOIN b_rest_app a ON a.ID = e.APP_ID WHERE e.EVENT_NAME = ?'
                . " AND (COALESCE(e.APP_ID, 0) = 0 OR (a.ACTIVE = 'Y' AND a.INSTALLED = 'Y'))", [$item['event']]);
            foreach ($handlers as $handler) {
                Http::post((string)$handler['EVENT_HANDLER'], http_build_query([
                    'event' => $item['event'],
                    'data' => $item['data'],
                    'ts' => time(),
                    'auth' => ['domain' => Links::host(), 'application_token' => $handler['APPLICATION_TOKEN']],
                ]), ['Content-Type: application/x-www-form-urlencoded'], self::SECONDS);
            }
        }
    }
}
