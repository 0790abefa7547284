<?php
namespace Boxlift\Standin;

use Bitrix\Main\Loader;
use CFile;
use CPullStack;

/** Chats, messages and notifications in b_im_*; b_im_relation says who takes part, where it is present. */
final class Chats
{
    private const SHOWN = 50;

    /** @return list<array<string, mixed>> */
    public static function all(int $userId): array
    {
        if (self::hasRelations()) {
            $mine = Db::rows('SELECT c.ID, c.TITLE, c.TYPE FROM b_im_chat c JOIN b_im_relation r ON r.CHAT_ID = c.ID'
                . " WHERE r.USER_ID = ? AND COALESCE(c.TYPE, '') <> 'S' ORDER BY c.ID", [$userId]);
            if ($mine !== []) {
                return $mine;
            }
        }
        return Db::rows("SELECT ID, TITLE, TYPE FROM b_im_chat WHERE COALESCE(TYPE, '') <> 'S' ORDER BY ID");
    }

    /** @return list<array<string, mixed>> oldest first */
    public static function messages(int $chat): array
    {
        return array_reverse(Db::rows('SELECT ID, AUTHOR_ID, MESSAGE, DATE_CREATE FROM b_im_message WHERE CHAT_ID = ?'
            . ' AND COALESCE(NOTIFY_TYPE, 0) = 0 ORDER BY ID DESC LIMIT ' . self::SHOWN, [$chat]));
    }

    /** @return list<array<string, mixed>> newest first */
    public static function notifications(int $userId, bool $all): array
    {
        $own = $all ? '' : " AND (MESSAGE LIKE CONCAT('%/user/', ?, '/%') OR CHAT_ID IN (SELECT ID FROM b_im_chat"
            . " WHERE TYPE = 'S' AND AUTHOR_ID = ?))";
        return Db::rows('SELECT ID, NOTIFY_MODULE, MESSAGE, DATE_CREATE FROM b_im_message WHERE NOTIFY_TYPE > 0'
            . "$own ORDER BY ID DESC LIMIT " . self::SHOWN, $all ? [] : [$userId, $userId]);
    }

    public static function general(int $author): int
    {
        $chat = Db::value("SELECT ID FROM b_im_chat WHERE TYPE = 'O' ORDER BY ID LIMIT 1");
        return $chat !== null ? (int)$chat : self::open('O', 'General chat', $author);
    }

    /** Adds a message and tells the participants' channels. */
    public static function say(int $chat, int $author, string $text, ?int $file = null): int
    {
        $id = Db::insert('b_im_message', [
            'CHAT_ID' => $chat,
            'AUTHOR_ID' => $author,
            'MESSAGE' => $file === null ? $text : $text . ' [URL=' . CFile::GetPath($file) . ']' . $text . '[/URL]',
            'DATE_CREATE' => date('Y-m-d H:i:s'),
            'NOTIFY_TYPE' => 0,
            'NOTIFY_MODULE' => 'im',
            'NOTIFY_EVENT' => 'group',
        ]);
        Db::run('UPDATE b_im_chat SET MESSAGE_COUNT = MESSAGE_COUNT + 1, LAST_MESSAGE_ID = ? WHERE ID = ?', [$id, $chat]);
        self::publish(self::participants($chat, $author), 'messageChat', [
            'chatId' => $chat,
            'message' => ['id' => $id, 'senderId' => $author, 'text' => $text],
            'files' => $file === null ? [] : [['id' => $file, 'url' => CFile::GetPath($file)]],
        ]);
        return $id;
    }

    /** A notification for one user; its text carries a link without a host, as the product stores it. */
    public static function notify(int $userId, string $module, string $event, string $text, string $link): int
    {
        $chat = Db::value("SELECT ID FROM b_im_chat WHERE TYPE = 'S' AND AUTHOR_ID = ?", [$userId]);
        $id = Db::insert('b_im_message', [
            'CHAT_ID' => $chat !== null ? (int)$chat : self::open('S', '', $userId),
            'AUTHOR_ID' => 0,
            'MESSAGE' => "$text: <a href=\"$link\">$link</a>",
            'MESSAGE_OUT' => $link,
            'DATE_CREATE' => date('Y-m-d H:i:s'),
            'NOTIFY_TYPE' => 2,
            'NOTIFY_MODULE' => $module,
            'NOTIFY_EVENT' => $event,
        ]);
        self::publish([$userId], 'notify', ['id' => $id, 'text' => $text, 'link' => Links::absolute($link)]);
        return $id;
    }

    private static function open(string $type, string $title, int $author): int
    {
        $id = Db::insert('b_im_chat', [
            'TITLE' => $title, 'TYPE' => $type, 'AUTHOR_ID' => $author, 'DATE_CREATE' => date('Y-m-d H:i:s'),
        ]);
        if (self::hasRelations()) {
            Db::insert('b_im_relation', ['CHAT_ID' => $id, 'USER_ID' => $author, 'MESSAGE_TYPE' => $type]);
        }
        return $id;
    }

    /** @return list<int> those related to the chat, else all who hold a channel */
    private static function participants(int $chat, int $author): array
    {
        $rows = self::hasRelations() ? Db::rows('SELECT USER_ID FROM b_im_relation WHERE CHAT_ID = ?', [$chat]) : [];
        if ($rows === []) {
            $rows = Db::rows("SELECT DISTINCT USER_ID FROM b_pull_channel WHERE CHANNEL_TYPE = 'private'"
                . ' AND DATE_CREATE > NOW() - INTERVAL 43205 SECOND');
        }
        return array_values(array_unique([$author, ...array_map('intval', array_column($rows, 'USER_ID'))]));
    }

    /**
     * @param list<int> $users
     * @param array<string, mixed> $parameters
     */
    private static function publish(array $users, string $command, array $parameters): void
    {
        if (Loader::includeModule('pull')) {
            CPullStack::AddByUsers($users, ['module_id' => 'im', 'command' => $command, 'params' => $parameters]);
        }
    }

    private static function hasRelations(): bool
    {
        return Db::hasTable('b_im_relation');
    }
}
