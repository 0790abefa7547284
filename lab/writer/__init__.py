"""Writes backups in the vendor's format (our own code, from the facts: backup_format 1 to 5)."""
