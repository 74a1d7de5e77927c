"""The Tariff object: its model, its strict reader, its canonical form."""
