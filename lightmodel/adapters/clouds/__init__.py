"""Object stores: how sources and mirrors reach them."""
