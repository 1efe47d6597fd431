"""CloudFront canned-policy signatures: RSA-2048, PKCS #1 v1.5, SHA-1, in CloudFront's spelling of base64.

Imports cryptography: import this module where that is wanted, not at program start. Measured: signing 0.25 ms, checking
0.02 ms, so both are done on the event loop.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from app.voice.failures import UnusableKey

_TO_WIRE = str.maketrans("+=/", "-_~")
_FROM_WIRE = str.maketrans("-_~", "+=/")
_SIGNATURE = re.compile(r"[A-Za-z0-9~-]{342}__")
_SCHEME = padding.PKCS1v15()
_DIGEST = hashes.SHA1()  # what the canned policy prescribes


def make_key() -> bytes:
    """A new private key as PEM. Takes some 30 ms and releases the interpreter."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def seeded_key(randomness: Callable[[int], bytes]) -> bytes:
    """A private key as PEM that is the same for the same `randomness` (bytes of a length). Takes a second or two and
    is for a seeded run only: cryptography makes no key twice.
    """
    from Crypto.PublicKey import RSA

    return RSA.generate(2048, randfunc=randomness).export_key("PEM", pkcs=8)


def is_key(pem: bytes) -> bool:
    """Whether a PEM is a key to sign with."""
    try:
        Signer(pem)
    except UnusableKey:
        return False
    return True


class Signer:
    """Signs and checks `(resource, expires)` with one key."""

    def __init__(self, pem: bytes) -> None:
        """Raises `UnusableKey` unless the PEM is an RSA-2048 private key."""
        try:
            key = serialization.load_pem_private_key(pem, None)
        except (ValueError, TypeError) as error:
            raise UnusableKey(str(error)) from error
        if not isinstance(key, rsa.RSAPrivateKey) or key.key_size != 2048:
            raise UnusableKey("not an RSA key of 2048 bits")
        self._key = key
        self._public = key.public_key()

    def sign(self, resource: str, expires: int) -> str:
        """344 characters; the last three are one of A, Q, g, w and two underscores."""
        raw = self._key.sign(_policy(resource, expires), _SCHEME, _DIGEST)
        return base64.b64encode(raw).decode().translate(_TO_WIRE)

    def holds(self, signature: str, resource: str, expires: int) -> bool:
        """Whether the signature is the one for it, spelt as `sign` spells it. Only public knowledge is compared."""
        if not _SIGNATURE.fullmatch(signature):
            return False
        text = signature.translate(_FROM_WIRE)
        try:
            raw = base64.b64decode(text, validate=True)
            self._public.verify(raw, _policy(resource, expires), _SCHEME, _DIGEST)
        except (binascii.Error, InvalidSignature):
            return False
        return base64.b64encode(raw).decode() == text  # the last character has spare bits that decoding ignores


def _policy(resource: str, expires: int) -> bytes:
    """The compact canned policy. `resource` has no character that JSON would escape."""
    return (
        f'{{"Statement":[{{"Resource":"{resource}","Condition":{{"DateLessThan":{{"AWS:EpochTime":{expires}}}}}}}]}}'
    ).encode()
