"""Run only the stage `testing`, like `python run.py testing`."""

from lightmodel.cli import main

if __name__ == "__main__":
    main("run", "testing")
