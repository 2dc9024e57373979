"""Run only the stage `train`, like `python run.py train`."""

from lightmodel.cli import main

if __name__ == "__main__":
    main("run", "train")
