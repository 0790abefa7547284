<?php
namespace Boxlift\Standin\Pages;

use Boxlift\Standin\Page;
use CUser;

/** Sign-in, recovery and the new password, under the product's form fields. */
final class Auth
{
    public static function show(): void
    {
        global $USER;
        if (Page::field('logout') === 'yes') {
            $USER->Logout();
            Page::done('/auth/', ['result' => 'OK']);
            return;
        }
        if (Page::isPost() && Page::field('AUTH_FORM') === 'Y') {
            match (Page::field('TYPE')) {
                'SEND_PWD' => self::sendPassword(),
                'CHANGE_PWD' => self::changePassword(),
                default => self::login(),
            };
            return;
        }
        if (Page::field('forgot_password') === 'yes') {
            self::form('forgot', 'SEND_PWD', ['USER_LOGIN' => '', 'USER_EMAIL' => '']);
        } elseif (Page::field('change_password') === 'yes') {
            self::form('change', 'CHANGE_PWD', [
                'USER_LOGIN' => Page::field('USER_LOGIN'),
                'USER_CHECKWORD' => Page::field('USER_CHECKWORD'),
                'USER_PASSWORD' => '',
                'USER_CONFIRM_PASSWORD' => '',
            ]);
        } else {
            self::form('login', 'AUTH', ['USER_LOGIN' => '', 'USER_PASSWORD' => '']);
        }
    }

    private static function login(): void
    {
        global $USER;
        $result = $USER->Login(Page::field('USER_LOGIN'), Page::field('USER_PASSWORD'));
        if ($result !== true) {
            self::form('login', 'AUTH', ['USER_LOGIN' => Page::field('USER_LOGIN'), 'USER_PASSWORD' => ''], $result, 401);
            return;
        }
        $back = Page::field('backurl', '/');
        $back = str_starts_with($back, '/') && !str_starts_with($back, '//') ? $back : '/';
        Page::done($back, ['result' => 'OK']);
    }

    private static function sendPassword(): void
    {
        $result = CUser::SendPassword(Page::field('USER_LOGIN'), Page::field('USER_EMAIL'), SITE_ID);
        self::form('forgot', 'SEND_PWD', ['USER_LOGIN' => '', 'USER_EMAIL' => ''], $result);
    }

    private static function changePassword(): void
    {
        $result = CUser::ChangePassword(
            Page::field('USER_LOGIN'),
            Page::field('USER_CHECKWORD'),
            Page::field('USER_PASSWORD'),
            Page::field('USER_CONFIRM_PASSWORD'),
            SITE_ID,
        );
        $fields = [
            'USER_LOGIN' => Page::field('USER_LOGIN'),
            'USER_CHECKWORD' => '',
            'USER_PASSWORD' => '',
            'USER_CONFIRM_PASSWORD' => '',
        ];
        self::form('change', 'CHANGE_PWD', $fields, $result, $result['TYPE'] === 'OK' ? 200 : 400);
    }

    /**
     * @param array<string, string> $fields
     * @param array{MESSAGE?: string, TYPE?: string} $result
     */
    private static function form(string $id, string $type, array $fields, array $result = [], int $status = 200): void
    {
        $inputs = '';
        foreach ($fields as $name => $value) {
            $kind = str_contains($name, 'PASSWORD') ? 'password' : 'text';
            $inputs .= "<input type=\"$kind\" name=\"$name\" value=\"" . htmlspecialcharsbx($value) . '">';
        }
        $note = $result === [] ? '' : '<p id="auth-result" data-type="' . $result['TYPE'] . '">'
            . htmlspecialcharsbx($result['MESSAGE']) . '</p>';
        $back = htmlspecialcharsbx(Page::field('backurl', '/'));
        $html = "$note<form id=\"auth-$id\" name=\"form_auth\" method=\"post\" action=\"/auth/\">"
            . "<input type=\"hidden\" name=\"AUTH_FORM\" value=\"Y\"><input type=\"hidden\" name=\"TYPE\" value=\"$type\">"
            . "<input type=\"hidden\" name=\"backurl\" value=\"$back\">$inputs<button type=\"submit\">OK</button></form>"
            . '<a id="forgot-link" href="/auth/?forgot_password=yes">Forgot the password?</a>';
        Page::show("auth-$id", 'Sign in', $html, ['result' => $result['TYPE'] ?? null, 'message' => $result['MESSAGE'] ?? null], $status);
    }
}
