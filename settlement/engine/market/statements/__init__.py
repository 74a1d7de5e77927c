"""Monthly statements of members, and credit notes for what changes after them."""
