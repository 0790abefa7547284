<?php
namespace Bitrix\Crm\Agent\Search;

use Boxlift\Standin\SearchContent;

final class DealSearchContentRebuildAgent extends SearchContent
{
    protected const ENTITY = 'DEAL';
    protected const TABLE = 'b_crm_deal';
}
