"""What sessions come to: the tariff each was opened under, its lines, and their transfers."""
