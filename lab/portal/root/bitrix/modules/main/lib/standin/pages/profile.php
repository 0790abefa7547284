<?php
namespace Boxlift\Standin\Pages;

use Boxlift\Standin\Db;
use Boxlift\Standin\Page;
use CFile;

final class Profile
{
    public static function show(int $id): void
    {
        $user = Db::row("SELECT * FROM b_user WHERE ID = ? AND COALESCE(EXTERNAL_AUTH_ID, '') NOT IN ('bot', 'email', 'imconnector')", [$id]);
        if ($user === null) {
            Page::problem(404, 'no_user', 'There is no such employee.');
            return;
        }
        $photo = $user['PERSONAL_PHOTO'] ? CFile::GetPath((int)$user['PERSONAL_PHOTO']) : null;
        $facts = [
            'id' => (int)$user['ID'],
            'name' => trim($user['NAME'] . ' ' . $user['LAST_NAME']),
            'login' => $user['LOGIN'],
            'email' => $user['EMAIL'],
            'position' => $user['WORK_POSITION'],
            'active' => $user['ACTIVE'] === 'Y',
            'photo' => $photo,
        ];
        $html = '<h1 id="profile-name">' . htmlspecialcharsbx($facts['name']) . '</h1><p id="profile-position">'
            . htmlspecialcharsbx($facts['position']) . '</p><p id="profile-email">' . htmlspecialcharsbx($facts['email']) . '</p>'
            . ($photo === null ? '' : '<img id="profile-photo" src="' . htmlspecialcharsbx($photo) . '">');
        Page::show('profile', $facts['name'], $html, $facts);
    }
}
