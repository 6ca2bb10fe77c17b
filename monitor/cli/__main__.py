"""`python -m monitor` is `conservator`."""

from monitor.cli import main

if __name__ == "__main__":
    main()
