"""Pulls a backup of the active portal onto this host and proves that it can be restored."""
