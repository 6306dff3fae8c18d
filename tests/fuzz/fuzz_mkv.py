"""Fuzzes the mkv target; see harness.py."""

from harness import main

if __name__ == "__main__":
    main("mkv")
