<?php
namespace Bitrix\Sender;

use Boxlift\Standin\Db;

final class MailingManager
{
    /** Letters of campaigns that are under way: postings that are partly sent, recipients not yet served. */
    public static function checkSend(): void
    {
        if (!Db::hasColumn('b_sender_posting', 'STATUS') || !Db::hasColumn('b_sender_contact', 'CODE')
            || !Db::hasColumn('b_sender_posting_recipient', 'CONTACT_ID')) {
            return;
        }
        $rows = Db::rows('SELECT r.ID, c.CODE FROM b_sender_posting p JOIN b_sender_posting_recipient r ON r.POSTING_ID = p.ID'
            . " JOIN b_sender_contact c ON c.ID = r.CONTACT_ID WHERE p.STATUS = 'P' AND r.STATUS = 'U' LIMIT 100");
        foreach ($rows as $row) {
            $sent = bxmail((string)$row['CODE'], 'News', 'A letter of a campaign.', 'Content-Type: text/plain; charset=UTF-8');
            Db::run('UPDATE b_sender_posting_recipient SET STATUS = ? WHERE ID = ?', [$sent ? 'Y' : 'E', $row['ID']]);
        }
    }
}
