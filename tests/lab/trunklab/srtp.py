# SPDX-License-Identifier: BSD-3-Clause
"""SRTP as RFC 3711, 6188 and 7714 have it, for one stream each way: a peer that shares no code with ours."""
import base64
import hashlib
import hmac
import struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SUITES = {  # key, salt, tag bytes
    "AES_CM_128_HMAC_SHA1_80": (16, 14, 10),
    "AES_CM_128_HMAC_SHA1_32": (16, 14, 4),
    "AES_256_CM_HMAC_SHA1_80": (32, 14, 10),
    "AES_256_CM_HMAC_SHA1_32": (32, 14, 4),
    "AEAD_AES_128_GCM": (16, 12, 16),
    "AEAD_AES_256_GCM": (32, 12, 16),
}


def ctr(key, iv, data):
    return Cipher(algorithms.AES(key), modes.CTR(iv)).encryptor().update(data)


class Keys:
    """One direction, by the suite's name and the inline key of an a=crypto line."""

    def __init__(self, suite, inline, encrypted=True):
        self.key_len, self.salt_len, self.tag_len = SUITES[suite]
        self.gcm, self.encrypted = suite.startswith("AEAD"), encrypted
        text = inline.split("|")[0]
        master = base64.b64decode(text + "=" * (-len(text) % 4))
        if len(master) != self.key_len + self.salt_len:
            raise ValueError(f"{suite}: a key of {len(master)} bytes")
        self.master, salt = master[:self.key_len], master[self.key_len:]
        self.master_salt = salt + bytes(14 - self.salt_len)
        self.key = self._derive(0, self.key_len)
        self.auth = self._derive(1, 20)
        self.salt = self._derive(2, self.salt_len)

    def _derive(self, label, n):
        x = int.from_bytes(self.master_salt, "big") ^ label << 48
        return ctr(self.master, x.to_bytes(14, "big") + b"\0\0", bytes(n))

    @staticmethod
    def _head(packet):
        return 12 + 4 * (packet[0] & 15)

    def _crypt(self, packet, roc):
        n = self._head(packet)
        seq, ssrc = struct.unpack("!H", packet[2:4])[0], struct.unpack("!L", packet[8:12])[0]
        iv = (int.from_bytes(self.salt + b"\0\0", "big") ^ ssrc << 64 ^ (roc << 16 | seq) << 16)
        return packet[:n] + (ctr(self.key, iv.to_bytes(16, "big"), packet[n:])
                             if self.encrypted else packet[n:])

    def _tag(self, packet, roc):
        mac = hmac.new(self.auth, packet + struct.pack("!L", roc), hashlib.sha1)
        return mac.digest()[:self.tag_len]

    def _gcm_iv(self, packet, roc):
        iv = b"\0\0" + packet[8:12] + struct.pack("!L", roc) + packet[2:4]
        return bytes(a ^ b for a, b in zip(iv, self.salt))

    def seal(self, packet, roc=0):
        if self.gcm:
            n = self._head(packet)
            return packet[:n] + AESGCM(self.key).encrypt(self._gcm_iv(packet, roc), packet[n:],
                                                         packet[:n])
        out = self._crypt(packet, roc)
        return out + self._tag(out, roc)

    def open(self, packet, roc=0):
        """The RTP packet, or None if it is not authentic."""
        if self.gcm:
            n = self._head(packet)
            try:
                return packet[:n] + AESGCM(self.key).decrypt(self._gcm_iv(packet, roc), packet[n:],
                                                             packet[:n])
            except InvalidTag:
                return None
        out, tag = packet[:-self.tag_len], packet[-self.tag_len:]
        return self._crypt(out, roc) if hmac.compare_digest(tag, self._tag(out, roc)) else None
