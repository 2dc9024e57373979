"""Where a table can come from: one module for each kind of address, `factory` chooses among them."""
