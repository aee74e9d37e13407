"""What a token's value may be, for responses and for stored documents alike."""

import re
from typing import Final

_TOKEN: Final = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")

TOKEN_RULE: Final = "printable ASCII characters without a space at either end"  # noqa: S105 - a description


def is_token(value: object) -> bool:
    """Whether a value can be a token: 1*VSCHAR (RFC 6749 appendix A.12 and A.17), no space at either end.

    HTTP strips spaces at the end of a header, and clients quote a header that they refuse in their errors.
    """
    return isinstance(value, str) and _TOKEN.fullmatch(value) is not None
