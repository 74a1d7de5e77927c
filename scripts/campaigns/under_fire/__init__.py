"""What the campaign against the outbox sends with, and the node that it sends to."""
