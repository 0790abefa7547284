"""The embedded lab: systemd hosts in Podman containers and a synthetic outside world."""
