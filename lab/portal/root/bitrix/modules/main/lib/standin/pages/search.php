<?php
namespace Boxlift\Standin\Pages;

use Bitrix\Main\Loader;
use Boxlift\Standin\Links;
use Boxlift\Standin\Page;
use CSearch;

final class Search
{
    public static function show(): void
    {
        $query = trim(Page::field('q'));
        $found = [];
        $error = null;
        if (!Loader::includeModule('search')) {
            $error = 'no_module';
        } elseif ($query !== '') {
            $search = new CSearch();
            $search->Search(['QUERY' => $query]);
            while ($row = $search->Fetch()) {
                $found[] = $row;
            }
            $error = $search->errorno === 0 ? null : $search->error;
        }
        $items = array_map(static fn (array $row): array => [
            'module' => $row['MODULE_ID'],
            'item' => $row['ITEM_ID'],
            'title' => $row['TITLE'],
            'url' => Links::absolute((string)$row['URL']),
        ], $found);
        $list = '';
        foreach ($items as $item) {
            $list .= '<li class="search-item" data-module="' . htmlspecialcharsbx($item['module']) . '" data-item-id="'
                . htmlspecialcharsbx($item['item']) . '"><a href="' . htmlspecialcharsbx($item['url']) . '">'
                . htmlspecialcharsbx($item['title']) . '</a></li>';
        }
        $note = $error === null ? '' : '<p id="search-error" data-code="' . $error . '">The search is not available.</p>';
        $html = '<form id="search-form" action="/search/"><input name="q" value="' . htmlspecialcharsbx($query) . '"></form>' . $note
            . '<ul id="search-result" data-count="' . count($items) . "\">$list</ul>";
        Page::show('search', 'Search', $html, ['query' => $query, 'count' => count($items), 'items' => $items, 'error' => $error]);
    }
}
