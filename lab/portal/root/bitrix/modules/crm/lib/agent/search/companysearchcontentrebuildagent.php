<?php
namespace Bitrix\Crm\Agent\Search;

use Boxlift\Standin\SearchContent;

final class CompanySearchContentRebuildAgent extends SearchContent
{
    protected const ENTITY = 'COMPANY';
    protected const TABLE = 'b_crm_company';
}
