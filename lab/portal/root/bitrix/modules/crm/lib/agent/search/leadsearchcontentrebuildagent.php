<?php
namespace Bitrix\Crm\Agent\Search;

use Boxlift\Standin\SearchContent;

final class LeadSearchContentRebuildAgent extends SearchContent
{
    protected const ENTITY = 'LEAD';
    protected const TABLE = 'b_crm_lead';
}
