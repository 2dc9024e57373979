"""Run the chain: preprocess, train, testing. See `python run.py --help`."""

from lightmodel.cli import main

if __name__ == "__main__":
    main("run")
