<?php
namespace Boxlift\Standin\Pages;

use Bitrix\Main\Loader;
use Boxlift\Standin\Db;
use Boxlift\Standin\Page;
use CCrmLead;

final class Leads
{
    private const PAGE_SIZE = 20;

    public static function list(): void
    {
        if (!self::ready()) {
            return;
        }
        $page = max(1, (int)Page::field('page', '1'));
        $total = (int)Db::value('SELECT COUNT(*) FROM b_crm_lead');
        $rows = Db::rows('SELECT ID, TITLE, FULL_NAME, STATUS_ID, DATE_CREATE, ASSIGNED_BY_ID FROM b_crm_lead ORDER BY ID DESC LIMIT '
            . self::PAGE_SIZE . ' OFFSET ' . self::PAGE_SIZE * ($page - 1));
        $html = "<table id=\"crm-lead-list\" data-total=\"$total\" data-page=\"$page\">";
        foreach ($rows as $row) {
            $html .= "<tr class=\"lead\" data-lead-id=\"{$row['ID']}\"><td><a href=\"/crm/lead/details/{$row['ID']}/\">"
                . htmlspecialcharsbx($row['TITLE']) . '</a></td><td>' . htmlspecialcharsbx($row['FULL_NAME']) . '</td><td>'
                . htmlspecialcharsbx($row['STATUS_ID']) . "</td><td>{$row['DATE_CREATE']}</td></tr>";
        }
        $html .= '</table><form id="lead-form" method="post" action="/crm/lead/add"><input name="TITLE"><input name="NAME">'
            . '<input name="LAST_NAME"><input name="PHONE"><button>OK</button></form>';
        Page::show('lead-list', 'Leads', $html, ['total' => $total, 'number' => $page, 'items' => $rows]);
    }

    public static function details(int $id): void
    {
        if (!self::ready()) {
            return;
        }
        $row = Db::row('SELECT * FROM b_crm_lead WHERE ID = ?', [$id]);
        if ($row === null) {
            Page::problem(404, 'no_lead', 'There is no such lead.');
            return;
        }
        $html = "<h1 id=\"lead-title\" data-lead-id=\"$id\">" . htmlspecialcharsbx($row['TITLE']) . '</h1><p id="lead-name">'
            . htmlspecialcharsbx($row['FULL_NAME']) . '</p><p id="lead-comments">' . Page::text((string)$row['COMMENTS']) . '</p>';
        Page::show('lead', (string)$row['TITLE'], $html, ['lead' => $row]);
    }

    public static function add(): void
    {
        if (!self::ready()) {
            return;
        }
        if (!Page::isPost() || trim(Page::field('TITLE')) === '') {
            Page::problem(400, 'no_title', 'A new lead needs a title.');
            return;
        }
        $fields = [];
        foreach (['TITLE', 'NAME', 'LAST_NAME', 'PHONE', 'COMMENTS'] as $name) {
            $fields[$name] = trim(Page::field($name));
        }
        $id = (new CCrmLead())->Add($fields);
        Page::done("/crm/lead/details/$id/", ['result' => 'OK', 'id' => $id]);
    }

    private static function ready(): bool
    {
        if (!Loader::includeModule('crm')) {
            Page::problem(404, 'no_crm', 'The CRM is not installed.');
            return false;
        }
        return true;
    }
}
