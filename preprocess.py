"""Run the stage `preprocess` alone; the same as `python run.py preprocess`."""

from lightmodel.cli import main

if __name__ == "__main__":
    main("run", "preprocess")
