<?php
namespace Bitrix\Crm\Agent\Search;

use Boxlift\Standin\SearchContent;

final class ContactSearchContentRebuildAgent extends SearchContent
{
    protected const ENTITY = 'CONTACT';
    protected const TABLE = 'b_crm_contact';
}
