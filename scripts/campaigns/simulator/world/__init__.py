"""What stands around the service: disk, chain, meters, people with keys; the doors to it."""
