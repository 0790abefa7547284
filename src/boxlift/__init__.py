"""boxlift moves a Bitrix24 cloud portal into its self-hosted version."""
