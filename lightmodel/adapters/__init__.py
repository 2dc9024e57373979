"""Everything that knows an outside technology by name; `ls` here says what is supported."""
