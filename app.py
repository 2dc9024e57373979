"""Serve the newest approved model, on port 5001 by default."""

from lightmodel.cli import main

if __name__ == "__main__":
    main("serve")
