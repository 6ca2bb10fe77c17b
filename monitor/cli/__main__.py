"""`python -m monitor.cli` is `conservator`."""

from monitor.cli import main

if __name__ == "__main__":
    main()
