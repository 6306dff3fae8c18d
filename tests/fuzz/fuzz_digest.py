"""Fuzzes the digest target; see harness.py."""

from harness import main

if __name__ == "__main__":
    main("digest")
