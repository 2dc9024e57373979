"""Run the chain: preprocess, train, testing. `python run.py --help` says more."""

from lightmodel.cli import main

if __name__ == "__main__":
    main("run")
