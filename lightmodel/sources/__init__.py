"""Where a table can come from: one module for each kind of address, `catalogue` chooses among them."""
