"""bxbackup reads and restores backups in the Bitrix archive format."""
