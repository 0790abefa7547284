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

    /** Addresses that are shown by a public file, which a backup may lack (portal_runtime J4). */
    private const FILES = ['~^/task/comments/~' => '/task/comments/index.php'];

    public static function serve(): void
    {
        global $USER;
        $path = (string)parse_url((string)($_SERVER['REQUEST_URI'] ?? '/'), PHP_URL_PATH);
        foreach (self::ROUTES as $pattern => $page) {
            if (!preg_match($pattern, $path, $found) || !self::hasFile($path)) {
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

    private static function hasFile(string $path): bool
    {
        foreach (self::FILES as $pattern => $file) {
            if (preg_match($pattern, $path)) {
                return is_file(Application::getDocumentRoot() . $file);
            }
        }
        return true;
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
