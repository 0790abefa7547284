<?php
namespace Boxlift\Standin\Pages;

use Bitrix\Main\Config\Option;
use Bitrix\Main\Loader;
use Boxlift\Standin\Db;
use Boxlift\Standin\Page;

/** A task and its comments, which are messages of a forum topic (portal_runtime J4 "task comments missing"). */
final class Task
{
    public static function show(int $userId, int $taskId): void
    {
        self::page($taskId, "/company/personal/user/$userId/tasks/task/view/$taskId/");
    }

    public static function comments(int $taskId): void
    {
        self::page($taskId, "/task/comments/$taskId/");
    }

    private static function page(int $id, string $self): void
    {
        global $USER;
        $task = Loader::includeModule('tasks') ? Db::row("SELECT * FROM b_tasks WHERE ID = ? AND ZOMBIE <> 'Y'", [$id]) : null;
        if ($task === null) {
            Page::problem(404, 'no_task', 'There is no such task.');
            return;
        }
        if (Page::isPost()) {
            self::addComment($task, Page::field('COMMENT'));
            Page::done($self, ['result' => 'OK']);
            return;
        }
        $comments = self::forumIsThere() ? Db::rows('SELECT ID, AUTHOR_NAME, POST_DATE, POST_MESSAGE FROM b_forum_message'
            . " WHERE TOPIC_ID = ? AND TOPIC_ID > 0 AND APPROVED = 'Y' AND COALESCE(SERVICE_TYPE, 0) = 0 ORDER BY ID",
            [(int)$task['FORUM_TOPIC_ID']]) : [];
        $list = '';
        foreach ($comments as $comment) {
            $list .= "<li class=\"comment\" id=\"com{$comment['ID']}\" data-comment-id=\"{$comment['ID']}\"><b>"
                . htmlspecialcharsbx($comment['AUTHOR_NAME']) . '</b> ' . Page::text((string)$comment['POST_MESSAGE']) . '</li>';
        }
        $html = "<h1 id=\"task-title\" data-task-id=\"$id\">" . htmlspecialcharsbx($task['TITLE']) . '</h1><div id="task-description">'
            . Page::text((string)$task['DESCRIPTION']) . '</div><ul id="task-comments" data-count="' . count($comments) . "\">$list</ul>"
            . "<form id=\"comment-form\" method=\"post\" action=\"$self\"><textarea name=\"COMMENT\"></textarea><button>OK</button></form>";
        Page::show('task', (string)$task['TITLE'], $html, [
            'id' => $id,
            'title' => $task['TITLE'],
            'description' => $task['DESCRIPTION'],
            'comments' => array_map(static fn (array $comment): array => [
                'id' => (int)$comment['ID'],
                'author' => $comment['AUTHOR_NAME'],
                'text' => $comment['POST_MESSAGE'],
            ], $comments),
        ]);
    }

    /** Where the forum's own table is present, tasks/task_forum_id must name a row of it. */
    private static function forumIsThere(): bool
    {
        if (!Loader::includeModule('forum')) {
            return false;
        }
        return !Db::hasTable('b_forum')
            || Db::value('SELECT ID FROM b_forum WHERE ID = ?', [(int)Option::get('tasks', 'task_forum_id', '0')]) !== null;
    }

    /** @param array<string, mixed> $task */
    private static function addComment(array $task, string $text): void
    {
        global $USER;
        $now = date('Y-m-d H:i:s');
        $forum = (int)Option::get('tasks', 'task_forum_id', '0');
        $topic = (int)$task['FORUM_TOPIC_ID'];
        if ($topic === 0) {
            $topic = Db::insert('b_forum_topic', [
                'FORUM_ID' => $forum, 'TITLE' => (string)$task['TITLE'], 'STATE' => 'Y', 'USER_START_ID' => $USER->GetID(),
                'USER_START_NAME' => $USER->GetFullName(), 'START_DATE' => $now, 'LAST_POSTER_NAME' => $USER->GetFullName(),
                'LAST_POST_DATE' => $now, 'XML_ID' => 'TASK_' . $task['ID'],
            ]);
            Db::update('b_tasks', (int)$task['ID'], ['FORUM_TOPIC_ID' => $topic]);
        }
        Db::insert('b_forum_message', [
            'FORUM_ID' => $forum, 'TOPIC_ID' => $topic, 'POST_DATE' => $now, 'POST_MESSAGE' => $text,
            'AUTHOR_ID' => $USER->GetID(), 'AUTHOR_NAME' => $USER->GetFullName(),
        ]);
        Db::run('UPDATE b_forum_topic SET POSTS = POSTS + 1, LAST_POST_DATE = ?, LAST_POSTER_NAME = ? WHERE ID = ?',
            [$now, $USER->GetFullName(), $topic]);
    }
}
