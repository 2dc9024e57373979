"""`python -m lightmodel`: all commands of the project."""

from lightmodel.cli import main

if __name__ == "__main__":
    main()
