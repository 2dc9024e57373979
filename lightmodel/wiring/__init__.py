"""From a configuration to the objects that do the work: the only package that knows both."""
