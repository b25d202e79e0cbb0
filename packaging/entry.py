"""The bundle's first module."""

from app.cli import main

if __name__ == "__main__":
    main()
