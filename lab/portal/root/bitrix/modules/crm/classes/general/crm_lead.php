<?php

use Bitrix\Main\Loader;
use Boxlift\Standin\Chats;
use Boxlift\Standin\Db;
use Boxlift\Standin\Links;
use Boxlift\Standin\Webhooks;

class CCrmLead
{
    private const SELECTED = ['ID', 'TITLE', 'STATUS_ID', 'DATE_CREATE', 'ASSIGNED_BY_ID'];

    /**
     * Leads by ID; rights are not looked at, as there are none here.
     * @param array<string, string> $order of `ID` alone
     * @param array<string, mixed> $filter CHECK_PERMISSIONS, ID
     * @param list<string>|false $groupBy an empty list asks for the number of leads
     * @param array{nTopCount?: int}|false $navigation
     * @param list<string> $select
     */
    public static function GetListEx(array $order = [], array $filter = [], array|false $groupBy = false,
        array|false $navigation = false, array $select = []): int|CDBResult
    {
        $where = isset($filter['ID']) ? 'ID = ' . (int)$filter['ID'] : 'TRUE';
        if ($groupBy === []) {
            return (int)Db::value("SELECT COUNT(*) FROM b_crm_lead WHERE $where");
        }
        $columns = implode(', ', array_intersect(self::SELECTED, $select) ?: self::SELECTED);
        $direction = strtoupper($order['ID'] ?? 'ASC') === 'DESC' ? 'DESC' : 'ASC';
        $limit = isset($navigation['nTopCount']) ? 'LIMIT ' . (int)$navigation['nTopCount'] : '';
        return new CDBResult(Db::rows("SELECT $columns FROM b_crm_lead WHERE $where ORDER BY ID $direction $limit"));
    }

    /** @param array<string, string> $fields TITLE, NAME, LAST_NAME, PHONE, COMMENTS */
    public function Add(array $fields): int
    {
        global $USER;
        $author = (int)($USER?->GetID() ?: 1);
        $now = date('Y-m-d H:i:s');
        $phone = $fields['PHONE'] ?? '';
        $id = Db::insert('b_crm_lead', [
            'DATE_CREATE' => $now,
            'DATE_MODIFY' => $now,
            'CREATED_BY_ID' => $author,
            'MODIFY_BY_ID' => $author,
            'ASSIGNED_BY_ID' => $author,
            'OPENED' => 'Y',
            'STATUS_ID' => 'NEW',
            'STATUS_SEMANTIC_ID' => 'P',
            'SOURCE_ID' => 'WEB',
            'TITLE' => $fields['TITLE'],
            'FULL_NAME' => trim(($fields['NAME'] ?? '') . ' ' . ($fields['LAST_NAME'] ?? '')),
            'COMMENTS' => $fields['COMMENTS'] ?? null,
            'HAS_PHONE' => $phone === '' ? 'N' : 'Y',
        ]);
        if ($phone !== '') {
            Db::insert('b_crm_field_multi', [
                'ENTITY_ID' => 'LEAD', 'ELEMENT_ID' => $id, 'TYPE_ID' => 'PHONE', 'VALUE_TYPE' => 'WORK',
                'COMPLEX_ID' => 'PHONE_WORK', 'VALUE' => $phone,
            ]);
        }
        if (Loader::includeModule('search')) {
            CSearch::Index('crm', "LEAD.$id", [
                'TITLE' => $fields['TITLE'],
                'BODY' => implode(' ', array_filter([$fields['NAME'] ?? '', $fields['LAST_NAME'] ?? '', $phone, $fields['COMMENTS'] ?? ''])),
                'URL' => "/crm/lead/details/$id/",
                'DATE_CHANGE' => $now,
            ]);
        }
        $this->tell($id, $author, (string)$fields['TITLE']);
        Webhooks::add('ONCRMLEADADD', ['FIELDS' => ['ID' => $id]]);
        return $id;
    }

    private function tell(int $id, int $responsible, string $title): void
    {
        $link = "/crm/lead/details/$id/";
        if (Loader::includeModule('im')) {
            Chats::notify($responsible, 'crm', 'lead_add', "New lead $title", $link);
        }
        $email = Db::value('SELECT EMAIL FROM b_user WHERE ID = ?', [$responsible]);
        if ((string)$email !== '') {
            CEvent::Send('IM_NEW_NOTIFY', SITE_ID, [
                'EMAIL' => $email, 'EMAIL_TO' => $email, 'MESSAGE' => "New lead $title: " . Links::absolute($link),
            ]);
        }
    }
}
