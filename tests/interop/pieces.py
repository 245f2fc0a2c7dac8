"""What the test agents say, whatever SDK they are built with."""

import os

# The artifact that answers `stream`, piece by piece. The piece with an escape and the emoji are there
# because a proxy that cuts by bytes breaks them.
STREAM = ["one ", "two \"quoted\" ", "drei — vier ", "\U0001f469\u200d\U0001f680 five"]


def leak() -> list[str]:
    """The artifact that answers `leak`: a credential cut over three events."""
    # Made by the driver for this run, so that no key-shaped text stands in the sources.
    secret = os.environ["INTEROP_SECRET"]
    return [
        f"the token is {secret[:9]}",
        secret[9:27],
        f"{secret[27:]}, keep it safe",
    ]


def whole() -> str:
    """The credential in one piece: over gRPC texts of several messages are not put together."""
    return f"the token is {os.environ['INTEROP_SECRET']}, keep it safe"
