"""What the acceptance suites need to look at a portal from outside: inventory, web client, push client."""
