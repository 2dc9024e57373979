"""Run only the stage `preprocess`, like `python run.py preprocess`."""

from lightmodel.cli import main

if __name__ == "__main__":
    main("run", "preprocess")
