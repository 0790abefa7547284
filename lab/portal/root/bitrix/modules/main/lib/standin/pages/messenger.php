<?php
namespace Boxlift\Standin\Pages;

use Bitrix\Main\Loader;
use Boxlift\Standin\Chats;
use Boxlift\Standin\Links;
use Boxlift\Standin\Page;
use CFile;
use CIMDisk;
use CMain;
use CPullChannel;
use CPullOptions;

/** Dialogues and notifications. Attachments depend on the queue server (portal_runtime E4). */
final class Messenger
{
    public static function show(): void
    {
        if (!Loader::includeModule('im')) {
            Page::problem(404, 'no_messenger', 'The messenger is not installed.');
        } elseif (Page::isPost()) {
            self::post();
        } elseif (Page::field('IM_NOTIFY') === 'Y') {
            self::notifications();
        } else {
            self::dialogues();
        }
    }

    private static function post(): void
    {
        global $USER;
        $chat = (int)Page::field('CHAT_ID') ?: Chats::general((int)$USER->GetID());
        $upload = $_FILES['FILE'] ?? null;
        if ($upload !== null && $upload['error'] !== UPLOAD_ERR_NO_FILE) {
            if (!CIMDisk::Enabled()) {
                Page::problem(403, 'attachments_off', 'Files cannot be attached: the queue server is not in use.');
                return;
            }
            if ($upload['error'] !== UPLOAD_ERR_OK) {
                Page::problem(413, 'upload_failed', 'The file did not arrive (code ' . $upload['error'] . ').');
                return;
            }
            $file = CFile::SaveFile($upload, 'im');
            $message = Chats::say($chat, (int)$USER->GetID(), Page::field('MESSAGE') ?: $upload['name'], $file);
            Page::done("/online/?IM_DIALOG=chat$chat", ['result' => 'OK', 'id' => $message, 'chat' => $chat, 'file' => $file,
                'url' => CFile::GetPath($file)]);
            return;
        }
        $text = trim(Page::field('MESSAGE'));
        if ($text === '') {
            Page::problem(400, 'no_text', 'The message is empty.');
            return;
        }
        $message = Chats::say($chat, (int)$USER->GetID(), $text);
        Page::done("/online/?IM_DIALOG=chat$chat", ['result' => 'OK', 'id' => $message, 'chat' => $chat]);
    }

    private static function dialogues(): void
    {
        global $USER;
        $userId = (int)$USER->GetID();
        $current = (int)preg_replace('/^chat/', '', Page::field('IM_DIALOG')) ?: Chats::general($userId);
        $chats = Chats::all($userId);
        $messages = Chats::messages($current);
        $attach = CIMDisk::Enabled();
        $socket = null;
        $phone = false;
        if (Loader::includeModule('pull') && CPullOptions::GetNginxStatus()) {
            $phone = Loader::includeModule('voximplant');
            $channel = CPullChannel::SignChannel(CPullChannel::Get($userId)['CHANNEL_ID']);
            $url = CMain::IsHTTPS() ? CPullOptions::GetWebSocketSecureUrl() : CPullOptions::GetWebSocketUrl();
            $socket = str_replace('#DOMAIN#', Links::host(), $url) . '?CHANNEL_ID=' . $channel;
        }
        $list = '';
        foreach ($chats as $chat) {
            $list .= "<li class=\"chat\" data-chat-id=\"{$chat['ID']}\"><a href=\"/online/?IM_DIALOG=chat{$chat['ID']}\">"
                . htmlspecialcharsbx($chat['TITLE'] ?: "Chat {$chat['ID']}") . '</a></li>';
        }
        $talk = '';
        foreach ($messages as $message) {
            $talk .= "<li class=\"message\" data-message-id=\"{$message['ID']}\" data-author-id=\"{$message['AUTHOR_ID']}\">"
                . Page::text((string)$message['MESSAGE']) . '</li>';
        }
        $button = $attach ? '<input id="attach-button" type="file" name="FILE">' : '';
        $html = '<div id="messenger" data-attachments="' . ($attach ? 'Y' : 'N') . '" data-phone="' . ($phone ? 'Y' : 'N')
            . '" data-ws-url="' . htmlspecialcharsbx((string)$socket) . "\"><ul id=\"chats\">$list</ul><ul id=\"messages\" data-chat-id=\"$current\">$talk</ul>"
            . "<form id=\"message-form\" method=\"post\" action=\"/online/\" enctype=\"multipart/form-data\">"
            . "<input type=\"hidden\" name=\"CHAT_ID\" value=\"$current\"><textarea name=\"MESSAGE\"></textarea>$button<button>OK</button></form></div>";
        Page::show('messenger', 'Messenger', $html, [
            'attachments' => $attach,
            'phone' => $phone,
            'ws_url' => $socket,
            'chat' => $current,
            'chats' => $chats,
            'messages' => $messages,
        ]);
    }

    private static function notifications(): void
    {
        global $USER;
        $items = [];
        $list = '';
        foreach (Chats::notifications((int)$USER->GetID(), $USER->IsAdmin()) as $row) {
            $html = preg_replace_callback('/href="([^"]*)"/', static fn (array $found): string
                => 'href="' . htmlspecialcharsbx(Links::absolute(htmlspecialchars_decode($found[1]))) . '"', (string)$row['MESSAGE']);
            preg_match('/href="([^"]*)"/', $html, $link);
            $url = isset($link[1]) ? htmlspecialchars_decode($link[1]) : null;
            $items[] = ['id' => (int)$row['ID'], 'module' => $row['NOTIFY_MODULE'], 'html' => $html, 'url' => $url];
            $list .= "<li class=\"notification\" data-notify-id=\"{$row['ID']}\">" . strip_tags($html, '<a>') . '</li>';
        }
        Page::show('notifications', 'Notifications', '<ul id="notifications" data-count="' . count($items) . "\">$list</ul>",
            ['count' => count($items), 'items' => $items]);
    }
}
