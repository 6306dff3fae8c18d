"""The names of the environment variables that are not settings."""

PREFIX = "VMS_"
FILE_NAME = "VMS_CONFIG"
"""Names the settings file."""
NEW_PASSWORD = "VMS_NEW_PASSWORD"  # noqa: S105
CAMERA_PASSWORD = "VMS_CAMERA_PASSWORD"  # noqa: S105
NOT_SETTINGS = frozenset({FILE_NAME, NEW_PASSWORD, CAMERA_PASSWORD})
