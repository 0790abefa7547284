<?php
namespace Boxlift\Standin;

use Bitrix\Main\Application;

/** Addresses to pages. */
final class Router
{
    private const ROUTES = [
        '~^/(index\.php|stream/)?$~' => [Pages\Start::class, 'show'],
        '~^/auth/(index\.php)?$~' => [Pages\Auth::class, 'show'],
        '~^/company/personal/user/(\d+)/$~' => [Pages\Profile::class, 'show'],
        '~^/company/personal/user/(\d+)/tasks/task/view/(\d+)/$~' => [Pages\Task::class, 'show'],
        '~^/task/comments/(\d+)/$~' => [Pages\Task::class, 'comments'],
        '~^/online/$~' => [Pages\Messenger::class, 'show'],
        '~^/search/(index\.php)?$~' => [Pages\Search::class, 'show'],
        '~^/crm/lead/list/$~' => [Pages\Leads::class, 'list'],
        '~^/crm/lead/details/(\d+)/$~' => [Pages\Leads::class, 'details'],
        '~^/crm/lead/add/?$~' => [Pages\Leads::class, 'add'],
    ];

    private const OPEN = [Pages\Auth::class];

    public static function serve(): void
    {
        global $USER;
        $path = (string)parse_url((string)($_SERVER['REQUEST_URI'] ?? '/'), PHP_URL_PATH);
        foreach (self::ROUTES as $pattern => $page) {
            if (!preg_match($pattern, $path, $found)) {
                continue;
            }
            if (!$USER->IsAuthorized() && !in_array($page[0], self::OPEN, true)) {
                self::signIn();
                return;
            }
            $numbers = array_map('intval', array_filter(array_slice($found, 1), 'ctype_digit'));
            $page(...$numbers);
            return;
        }
        Page::problem(404, 'not_found', 'There is no such page.');
    }

    private static function signIn(): void
    {
        if (Page::wantsJson()) {
            Page::problem(401, 'not_authorized', 'Sign in first.');
            return;
        }
        header('Location: /auth/?backurl=' . rawurlencode((string)$_SERVER['REQUEST_URI']), true, 302);
    }
}
