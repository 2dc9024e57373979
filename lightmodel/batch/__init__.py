"""Score files block by block with an approved model version: batch scoring."""
