"""The roles' names, for who needs no more: what carries them out takes long to import."""

ROLE_NAMES = ("ingest", "storage", "stream", "api")
