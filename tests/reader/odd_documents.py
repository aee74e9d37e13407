"""Token documents whose parts may each be wrong, from a seed."""

import random
from typing import Final

# What a part may be, with `|` between the choices. The first one is right.
_PARTS: Final = r"""
year      2027|2028|1972|5138|0099|2O27|27|+2027|\uff12027
date      -01-15|-02-28|-02-29|-02-30|-04-31|-13-01|-00-10|-1-5|0115|-W03-5|-015
between   T| |t||_|\t
clock     09:00:00|09:00|23:59:59|24:00|24:00:00|09:60|09:00:60|9:00|0900|09|
fraction  |.5|.123|,5|.|.123456789|.1234567890|.5e3
zone      Z||z|+01:00|-01:00|+0100|+01|+1|+24:00|+01:60|-00:00| Z|+01:00:30
end       | |\n
number    1800003600000|1800003600|1.8000036e12|1800003600000.0|18000036e5|-1800003600000|0|1e400|NaN|01|1_8|0x1
digits    "1800003600.5"|"99999999999"|"+1800003600"|1800003600.75|2100000000|1800007200
value     null|true|{}|[1800003600]|""|"1800003600000"|"soon"|"\u0000"
token     "a"|"a b"|" a"|"a "|"\u0061"|"\u00e4"|"\ud800"|""|null|0|[]|false
extra     |, "x": 1|, "x": 1e400|, "accessToken": "b"|, "refresh_token": "r"|, "x": -0|,
origin    |, "tokenRefresh": {"lifetime_seconds": 1800}|, "tokenRefresh": {"lifetime_seconds": 1}|, "tokenRefresh": 7
keys      accessToken expiresAt|access_token expires_at|a expiresAt
around    @|[@]| @|BOM@|@}|VT@|{"inner": @}
"""
_CHOICES: Final = {line[:10].strip(): line[10:].split("|") for line in _PARTS.strip().split("\n")}
_TIME: Final = ("year", "date", "between", "clock", "fraction", "zone", "end")
_LONG: Final = ("1" + 400 * "0", "1" + 5000 * "0")
"""Integers that no double holds; Python reads the first one."""


def odd_document(seed: int) -> str:
    """Make a document: keys, token, expiry and what is around them, right or wrong by chance."""
    chance = random.Random(seed)  # noqa: S311 - a repeatable choice
    part = {name: choices[0] if chance.randrange(5) else chance.choice(choices) for name, choices in _CHOICES.items()}
    moment = "".join(part[name] for name in _TIME)
    times = (moment, moment, f"2027-01-15T09:00:00{part['zone']}", part["year"] + part["date"])
    # Written as it is: an escape of JSON in it is one of the document.
    whens = (*(f'"{time}"' for time in times), part["number"], part["digits"], part["value"], chance.choice(_LONG))
    when = chance.choice(whens)
    extra = part["extra"]
    if not chance.randrange(20):
        depth = chance.randint(60, 67)
        extra = f', "x": {"[" * depth}{"]" * depth}'
    access, expires = part["keys"].split()
    document = f'{{"{access}": {part["token"]}, "{expires}": {when}{extra}{part["origin"]}}}'
    around = part["around"].replace("BOM", "\ufeff").replace("VT", "\v")
    return around.replace("@", document)
