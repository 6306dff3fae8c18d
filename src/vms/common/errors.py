"""The errors of the project.

    VmsError
    ├── ConfigError            settings that cannot be used; names the key and the file
    ├── InvalidIdentifier      an id that may not stand in a path or a subject
    ├── InvalidValue           a value outside its bounds; names the field
    ├── ParseError             bytes from outside that are not what they should be
    ├── SourceError            a camera or file that does not give media
    │   ├── SourceUnreachable  no such host, refused, timed out
    │   ├── SourceRefused      it answered, and the answer was no (404, 453, ...)
    │   ├── SourceAuthError    wrong user name or password
    │   ├── SourceProtocolError  it does not speak the protocol as it should
    │   └── SourceStalled      media stopped coming
    ├── StorageError           a volume or a recording that cannot be used
    ├── BusError               the bus cannot be reached or has no answer
    │   └── NoResponder        nobody serves that subject
    ├── CatalogError           rows that cannot be read or written
    │   ├── NotFound
    │   └── Conflict
    └── AuthError
        ├── NotAuthenticated   who are you?
        └── NotAuthorized      known, and not allowed

Each message says what happened, where, and what to do next; none holds a password.
"""


class VmsError(Exception):
    """Base of all errors that the project raises on purpose."""


class ConfigError(VmsError):
    pass


class InvalidIdentifier(VmsError, ValueError):
    pass


class InvalidValue(VmsError, ValueError):
    pass


class ParseError(VmsError, ValueError):
    pass


class SourceError(VmsError):
    """`fault`: whose it is: "camera", "network" or "settings"."""

    fault = "camera"


class SourceUnreachable(SourceError):
    fault = "network"


class SourceRefused(SourceError):
    fault = "settings"


class SourceAuthError(SourceError):
    fault = "settings"


class SourceProtocolError(SourceError):
    pass


class SourceStalled(SourceError):
    pass


class StorageError(VmsError):
    pass


class BusError(VmsError):
    pass


class NoResponder(BusError):
    pass


class CatalogError(VmsError):
    pass


class NotFound(CatalogError):
    pass


class Conflict(CatalogError):
    pass


class AuthError(VmsError):
    pass


class NotAuthenticated(AuthError):
    pass


class NotAuthorized(AuthError):
    pass
