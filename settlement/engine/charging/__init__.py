"""Sessions: quotes, deposits, what stations say, and the record that ends them."""
