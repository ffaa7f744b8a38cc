#!/usr/bin/env python3
"""Writes the vectors beside this file, from docs/protocol.md alone: a second implementation to agree with.

Needs the package `cryptography`. The Rust code never runs this; it reads what it wrote.
"""

import hashlib
import hmac
import json
import pathlib
import struct

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

AES, CHACHA = "AES-256-GCM", "ChaCha20-Poly1305"


def hmac256(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def expand(prk, label):
    """HKDF-Expand to 32 bytes (RFC 5869 §2.3)."""
    return hmac256(prk, label + b"\x01")


def network_key(name):
    return expand(hmac256(b"crust v1 network name", name.encode()), b"crust v1 network key")


class Direction:
    """The records of one direction."""

    def __init__(self, cipher, secret, interval=1 << 20):
        self.cipher, self.interval, self.counter = cipher, interval, 0
        self.take(secret)

    def take(self, secret):
        self.secret = secret
        self.record_key = expand(secret, b"crust v1 record")
        self.header_key = expand(secret, b"crust v1 header")
        self.next_secret = expand(secret, b"crust v1 rekey")

    def prf(self, domain, word):
        block = struct.pack(">QBH5x", self.counter, domain, word)
        if self.cipher == AES:
            return Cipher(algorithms.AES(self.header_key), modes.ECB()).encryptor().update(block)
        return Cipher(algorithms.ChaCha20(self.header_key, block), None).encryptor().update(bytes(16))

    def seal(self, text, close=False):
        word = 0x8000 if close else len(text)
        mask = struct.unpack(">H", self.prf(0, 0)[:2])[0]
        header = struct.pack(">H", word ^ mask) + self.prf(1, word)[:4]
        aead = AESGCM if self.cipher == AES else ChaCha20Poly1305
        nonce = bytes(4) + struct.pack(">Q", self.counter)
        body = aead(self.record_key).encrypt(nonce, text, struct.pack(">H", word))
        self.counter += 1
        if self.counter % self.interval == 0:
            self.take(self.next_secret)
        return header + body


def public(key):
    return key.public_key().public_bytes_raw()


class Noise:
    """The symmetric half of Noise_XX_25519_ChaChaPoly_SHA256 (revision 34 §5.2)."""

    def __init__(self):
        self.h = self.ck = b"Noise_XX_25519_ChaChaPoly_SHA256"
        self.k, self.n = None, 0
        self.mix_hash(b"crust v1 handshake")

    def mix_hash(self, data):
        self.h = hashlib.sha256(self.h + data).digest()

    def two(self, data):
        prk = hmac256(self.ck, data)
        first = hmac256(prk, b"\x01")
        return first, hmac256(prk, first + b"\x02")

    def mix_key(self, private, public_key):
        shared = private.exchange(X25519PublicKey.from_public_bytes(public_key))
        self.ck, self.k = self.two(shared)
        self.n = 0

    def encrypt(self, text):
        if self.k is not None:
            nonce = bytes(4) + struct.pack("<Q", self.n)
            text = ChaCha20Poly1305(self.k).encrypt(nonce, text, self.h)
            self.n += 1
        self.mix_hash(text)
        return text


class End:
    def __init__(self, role, start, paddings, has_aes):
        self.role, self.has_aes, self.paddings = role, has_aes, paddings
        self.seed = bytes(range(start, start + 32))
        self.static = bytes(range(start + 32, start + 64))
        self.ephemeral = bytes(range(start + 64, start + 96))
        self.salt = bytes(range(start + 96, start + 120))
        self.identity = Ed25519PrivateKey.from_private_bytes(self.seed)
        self.s = X25519PrivateKey.from_private_bytes(self.static)
        self.e = X25519PrivateKey.from_private_bytes(self.ephemeral)

    def start(self, network):
        label = b"crust v1 mask " + self.role.encode()
        self.mask = Direction(CHACHA, expand(hmac256(self.salt, network), label))
        self.left = list(self.paddings)

    def wrap(self, message):
        return self.mask.seal(struct.pack(">H", len(message)) + message + self.left.pop(0))

    def payload(self):
        signature = self.identity.sign(b"crust v1 noise static key\x00" + public(self.s))
        return bytes([1, int(self.has_aes)]) + public(self.identity) + signature

    def show(self):
        return {
            "identity_seed": self.seed.hex(),
            "peer_id": public(self.identity).hex(),
            "noise_static": self.static.hex(),
            "noise_ephemeral": self.ephemeral.hex(),
            "salt": self.salt.hex(),
            "paddings": [padding.hex() for padding in self.paddings],
            "has_aes": self.has_aes,
        }


def handshake(network, dialer, listener):
    dialer.start(network)
    listener.start(network)
    noise = Noise()
    noise.mix_hash(public(dialer.e))
    first = public(dialer.e) + noise.encrypt(b"")

    noise.mix_hash(public(listener.e))
    noise.mix_key(listener.e, public(dialer.e))
    answer = public(listener.e) + noise.encrypt(public(listener.s))
    noise.mix_key(listener.s, public(dialer.e))
    answer += noise.encrypt(listener.payload())

    proof = noise.encrypt(public(dialer.s))
    noise.mix_key(dialer.s, public(listener.e))
    proof += noise.encrypt(dialer.payload())

    secrets = noise.two(b"")
    cipher = AES if dialer.has_aes and listener.has_aes else CHACHA
    records = [Direction(cipher, secret).seal(text) for secret, text in zip(secrets, [b"ping", b"pong"])]
    return {
        "network_key": network.hex(),
        "dialer": dialer.show(),
        "listener": listener.show(),
        "noise": [message.hex() for message in (first, answer, proof)],
        "wire": [
            (dialer.salt + dialer.wrap(first)).hex(),
            (listener.salt + listener.wrap(answer)).hex(),
            dialer.wrap(proof).hex(),
        ],
        "handshake_hash": noise.h.hex(),
        "secrets": {"dialer": secrets[0].hex(), "listener": secrets[1].hex()},
        "cipher": cipher,
        "first_records": {
            "dialer": {"text": b"ping".hex(), "wire": records[0].hex()},
            "listener": {"text": b"pong".hex(), "wire": records[1].hex()},
        },
    }


def records(cipher):
    direction = Direction(cipher, bytes(range(32)), interval=2)
    texts = [b"a", b"Crust", bytes(range(256)), b"after the second change", b"last"]
    steps = []
    for text in [*texts, None]:
        step = {
            "secret": direction.secret.hex(),
            "record_key": direction.record_key.hex(),
            "header_key": direction.header_key.hex(),
            "text": None if text is None else text.hex(),
        }
        step["wire"] = direction.seal(text or b"", close=text is None).hex()
        steps.append(step)
    return {"cipher": cipher, "interval": 2, "records": steps}


def write(name, value):
    path = pathlib.Path(__file__).with_name(name)
    path.write_text(json.dumps(value, indent=2) + "\n")


write("network_key.json", [{"name": name, "key": network_key(name).hex()} for name in ["crust", "", "Krüste"]])
write("records.json", [records(cipher) for cipher in [AES, CHACHA]])
write(
    "handshake.json",
    [
        handshake(
            network_key("crust"),
            End("dialer", 0, [bytes(range(7)), b""], True),
            End("listener", 128, [bytes(range(255))], True),
        ),
        handshake(
            bytes([0xAA] * 32),
            End("dialer", 3, [b"", bytes([0x55] * 100)], False),
            End("listener", 130, [b"\xff"], True),
        ),
    ],
)
