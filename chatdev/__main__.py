"""`python -m chatdev` is the command `chatdev`."""

from chatdev.cli import main

if __name__ == "__main__":
    main()
