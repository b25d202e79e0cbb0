"""The bundle's first module."""

from app.entry import main

if __name__ == "__main__":
    main()
