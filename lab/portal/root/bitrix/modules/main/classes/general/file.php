<?php

use Bitrix\Main\Application;
use Bitrix\Main\Config\Option;
use Boxlift\Standin\Db;

class CFile
{
    /**
     * Stores an uploaded file below upload/ and its row in b_file.
     * @param array{name: string, type?: string, tmp_name: string} $file
     */
    public static function SaveFile(array $file, string $savePath): int
    {
        $name = trim(basename(str_replace('\\', '/', $file['name'])), ". \0");
        if ($name === '') {
            throw new RuntimeException('the file has no name');
        }
        $random = bin2hex(random_bytes(16));
        $subdir = $savePath . '/' . substr($random, 0, 3) . '/' . $random;
        $folder = Application::getDocumentRoot() . '/' . Option::get('main', 'upload_dir', 'upload') . '/' . $subdir;
        $mode = defined('BX_DIR_PERMISSIONS') ? BX_DIR_PERMISSIONS : 0755;
        if (!is_dir($folder) && !mkdir($folder, $mode, true)) {
            throw new RuntimeException("upload folder $subdir cannot be made");
        }
        if (!copy($file['tmp_name'], "$folder/$name")) {
            throw new RuntimeException("file $name cannot be stored");
        }
        chmod("$folder/$name", defined('BX_FILE_PERMISSIONS') ? BX_FILE_PERMISSIONS : 0644);
        return Db::insert('b_file', [
            'TIMESTAMP_X' => date('Y-m-d H:i:s'),
            'MODULE_ID' => $savePath,
            'HEIGHT' => 0,
            'WIDTH' => 0,
            'FILE_SIZE' => filesize("$folder/$name"),
            'CONTENT_TYPE' => $file['type'] ?? 'application/octet-stream',
            'SUBDIR' => $subdir,
            'FILE_NAME' => $name,
            'ORIGINAL_NAME' => $name,
            'DESCRIPTION' => '',
            'EXTERNAL_ID' => $random,
        ]);
    }

    /** Address of a file; rows with HANDLER_ID live in a cloud bucket and have none here. */
    public static function GetPath(int $id): ?string
    {
        $row = Db::row('SELECT SUBDIR, FILE_NAME, HANDLER_ID FROM b_file WHERE ID = ?', [$id]);
        if ($row === null || (string)$row['HANDLER_ID'] !== '') {
            return null;
        }
        $parts = explode('/', $row['SUBDIR'] . '/' . $row['FILE_NAME']);
        return '/' . Option::get('main', 'upload_dir', 'upload') . '/' . implode('/', array_map('rawurlencode', $parts));
    }
}
