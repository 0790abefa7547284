<?php
namespace Boxlift\Standin\Pages;

use Boxlift\Standin\Page;

final class Start
{
    /** In the cloud edition the page asks a class that only the cloud has (portal_runtime D4). */
    public static function show(): void
    {
        global $USER;
        if (IsModuleInstalled('bitrix24')) {
            \CBitrix24::getPortalZone();
        }
        $links = ['/online/', '/crm/lead/list/', '/search/', '/company/personal/user/' . $USER->GetID() . '/'];
        $html = '<nav id="menu">' . implode('', array_map(static fn ($link) => "<a href=\"$link\">$link</a>", $links)) . '</nav>';
        Page::show('start', 'Start', $html, ['links' => $links]);
    }
}
