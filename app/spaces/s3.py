"""The words of S3: what an upload comes to, its refusals, and the signature of its policy. Values only."""

from __future__ import annotations

import hmac
from dataclasses import dataclass

REGION = "ap-northeast-2"


@dataclass(frozen=True, slots=True)
class Accepted:
    """The upload is stored. `etag`: MD5 of the content, 32 hexadecimal digits."""

    key: str
    media_type: str
    size: int
    etag: str


@dataclass(frozen=True, slots=True)
class S3Error:
    """Why an upload is not stored, in the words of S3. `details`: further elements of the XML."""

    status: int
    code: str
    message: str
    details: tuple[tuple[str, str], ...] = ()


def sign(secret: str, date: str, policy: str, region: str = REGION) -> str:
    """The `x-amz-signature` of a policy in base64: Signature Version 4, 64 hexadecimal digits. `date`: yyyymmdd…"""
    key = f"AWS4{secret}".encode()
    for step in (date[:8], region, "s3", "aws4_request"):
        key = hmac.digest(key, step.encode(), "sha256")
    return hmac.digest(key, policy.encode(), "sha256").hex()


def too_large(size: int, most: int) -> S3Error:
    """The refusal of `size` bytes where `most` are allowed."""
    details = (("ProposedSize", str(size)), ("MaxSizeAllowed", str(most)))
    return S3Error(400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size", details)


UNKNOWN_ID = S3Error(403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")
FORGED = S3Error(
    403,
    "SignatureDoesNotMatch",
    "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
)
NO_IMAGE = S3Error(400, "InvalidArgument", "The file is no PNG, JPEG, GIF or WebP image.")


def missing(field: str) -> S3Error:
    return S3Error(
        400,
        "InvalidArgument",
        f"Bucket POST must contain a field named '{field}'.  If it is specified, please check the order of the fields.",
    )


def against_policy(reason: str) -> S3Error:
    return S3Error(403, "AccessDenied", f"Invalid according to Policy: {reason}")


def equal(given: str, wanted: str) -> bool:
    """Takes as long for every wrong text."""
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), wanted.encode())
