"""Stand-ins for the world outside boxlift: the cloud, the portal, its push server, test hosts."""
