"""The world outside the portal: backup server, uploads CDN, mail, and sinks that count what leaves.

Runs with the aiohttp and aiosmtpd of Debian 12 in the lab's host cloud-1, and alone on loopback for tests.
It imports nothing of boxlift or bxbackup: both are tested against it.
"""
