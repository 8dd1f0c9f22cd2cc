"""What can go wrong between bytes and labels.

InputError
├── UnsupportedImageError  415   not an image type we read
├── ImageTooLargeError     413   more pixels or bytes than allowed
├── BrokenImageError       422   the right type, but it cannot be decoded
└── ArtifactError          500   a directory that is no artifact, or a damaged one
MissingError
└── RuntimeMissingError    503   a runtime that is not installed
CheckError
├── ParityError            503   an engine whose answers are outside its bound
└── DeviceError            503   a GPU that failed while it computed
"""

from measuring.errors import CheckError, InputError, MissingError


class UnsupportedImageError(InputError):
    """The bytes are of no image type that is read here."""

    status = 415


class ImageTooLargeError(InputError):
    """The header declares more pixels, or the body has more bytes, than allowed."""

    status = 413


class BrokenImageError(InputError):
    """The bytes claim to be an image and cannot be decoded."""

    status = 422


class ArtifactError(InputError):
    """A directory that is no artifact, or one whose files are not what its manifest says."""

    status = 500


class RuntimeMissingError(MissingError):
    """A runtime whose package is not installed."""


class ParityError(CheckError):
    """An engine whose answers differ from the artifact's reference beyond its bound."""


class DeviceError(CheckError):
    """A GPU, or what drives it, that failed while it computed."""
