"""Pulls the portal that another host serves: the few words of its key, pipes, hot backups, files."""
