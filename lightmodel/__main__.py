"""`python -m lightmodel`: the commands that are not the chain itself."""

from lightmodel.cli import main

if __name__ == "__main__":
    main()
