# SPDX-License-Identifier: BSD-3-Clause
"""An ESP peer that shares no code with ours: scapy's security associations."""
import json
import logging
import os
import struct

logging.getLogger("scapy").setLevel(logging.ERROR)
from scapy.layers.inet import IP, UDP  # noqa: E402
from scapy.layers.ipsec import AUTH_ALGOS, ESP, AuthAlgo, SecurityAssociation  # noqa: E402

from . import world as w  # noqa: E402

# name: (scapy's cipher, cipher key bytes, salt bytes, scapy's authentication, its key bytes,
#        tshark's cipher, tshark's authentication); tshark has no ChaCha20 for ESP
SUITES = {
    "aes128gcm16": ("AES-GCM", 16, 4, None, 0, "AES-GCM with 16 octet ICV [RFC4106]", "NULL"),
    "aes192gcm16": ("AES-GCM", 24, 4, None, 0, "AES-GCM with 16 octet ICV [RFC4106]", "NULL"),
    "aes256gcm16": ("AES-GCM", 32, 4, None, 0, "AES-GCM with 16 octet ICV [RFC4106]", "NULL"),
    "chacha20poly1305": ("CHACHA20-POLY1305", 32, 4, None, 0, None, None),
}
for _bits in (128, 256):
    for _name, _scapy, _len, _tshark in (
            ("sha1", "HMAC-SHA1-96", 20, "HMAC-SHA-1-96 [RFC2404]"),
            ("sha256", "SHA2-256-128", 32, "HMAC-SHA-256-128 [RFC4868]"),
            ("sha384", "SHA2-384-192", 48, "HMAC-SHA-384-192 [RFC4868]"),
            ("sha512", "SHA2-512-256", 64, "HMAC-SHA-512-256 [RFC4868]")):
        SUITES[f"aes{_bits}-{_name}"] = ("AES-CBC", _bits // 8, 0, _scapy, _len,
                                         "AES-CBC [RFC3602]", _tshark)


class EsnAuth(AuthAlgo):
    """scapy covers the high half of the sequence number with AEAD suites only. With a separate
    authentication algorithm it follows the packet in the input of the HMAC (RFC 4303 2.2.1)."""

    def __init__(self, base, tunnel):
        super().__init__(base.name, base.mac, base.digestmod, base.icv_size, base.key_size)
        self.tunnel = tunnel

    def _icv(self, data, key):
        mac = self.new_mac(key)
        mac.update(data + struct.pack("!L", self.tunnel.esn_high))
        return mac.finalize()[:self.icv_size]

    def sign(self, pkt, key, esn_en=False, esn=0):
        pkt[ESP].data += self._icv(bytes(pkt[ESP]), key)
        return pkt

    def verify(self, pkt, key, esn_en=False, esn=0):
        from scapy.layers.ipsec import IPSecIntegrityError
        whole = bytes(pkt)
        if self._icv(whole[:-self.icv_size], key) != whole[-self.icv_size:]:
            raise IPSecIntegrityError("wrong ICV")


class Tunnel:
    """Both directions of a customer's static-key tunnel, seen from the customer's gateway."""

    def __init__(self, suite, spi_to_pop, spi_from_pop, udp=False, esn=False, window=128,
                 gateway=w.GATEWAY, pop=w.POP_OUTSIDE, domain=w.PHONES, local_nets=None,
                 udp_port=4500, keys=None, **config):
        self.suite, self.udp, self.esn, self.window = suite, udp, esn, window
        self.gateway, self.pop, self.domain = gateway, pop, domain
        self.spi_to_pop, self.spi_from_pop = spi_to_pop, spi_from_pop
        self.udp_port = udp_port
        self.local_nets = local_nets or ["198.18.0.0/16"]
        self.more = config
        self.esn_high = 0
        _, key_len, salt_len, _, auth_len = SUITES[suite][:5]
        length = key_len + salt_len + auth_len
        self.key_to_pop, self.key_from_pop = keys or (os.urandom(length), os.urandom(length))
        self.out = self._sa(self.spi_to_pop, self.key_to_pop, self.gateway, self.pop)
        self.back = self._sa(self.spi_from_pop, self.key_from_pop, self.pop, self.gateway)

    def _sa(self, spi, material, src, dst):
        cipher, key_len, salt_len, auth, _ = SUITES[self.suite][:5]
        cut = key_len + salt_len
        nat_t = UDP(sport=self.udp_port, dport=4500) if self.udp else None
        sa = SecurityAssociation(
            ESP, spi=spi, crypt_algo=cipher, crypt_key=material[:cut],
            auth_algo=auth, auth_key=material[cut:] if auth else None,
            tunnel_header=IP(src=src, dst=dst), nat_t_header=nat_t, esn_en=self.esn)
        if self.esn and auth:
            sa.auth_algo = EsnAuth(AUTH_ALGOS[auth], self)
        return sa

    def config(self):
        """The SA pair as trunklined's configuration writes it."""
        sa = {
            "suite": self.suite,
            "spi_in": f"0x{self.spi_to_pop:08x}",
            "spi_out": f"0x{self.spi_from_pop:08x}",
            "key_in": self.key_to_pop.hex(),
            "key_out": self.key_from_pop.hex(),
            "local": self.pop,
            "peer": self.gateway,
            "encap": self.udp,
            "esn": self.esn,
            "window": self.window,
            "local_nets": self.local_nets,
            "remote_nets": [self.domain],
        }
        if self.udp and self.udp_port != 4500:
            sa["peer"] = f"{self.gateway}:{self.udp_port}"
        sa.update(self.more)
        return sa

    def save(self, path, **more):
        """For scapy_gateway.py, with more keys if it needs them."""
        fields = ("suite", "spi_to_pop", "spi_from_pop", "udp", "esn", "window", "gateway", "pop",
                  "domain", "local_nets", "udp_port")
        spec = {f: getattr(self, f) for f in fields}
        spec["keys"] = [self.key_to_pop.hex(), self.key_from_pop.hex()]
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8") as f:
            json.dump({**spec, **more}, f)

    @classmethod
    def restore(cls, spec):
        spec = {k: v for k, v in spec.items() if k not in ("tun", "wan")}
        spec["keys"] = [bytes.fromhex(k) for k in spec["keys"]]
        return cls(**spec)

    def encrypt(self, inner, **kw):
        """Outer IP packet (bytes) for an inner one (scapy packet or bytes)."""
        if isinstance(inner, (bytes, bytearray)):
            inner = IP(bytes(inner))
        outer = bytearray(bytes(self.out.encrypt(inner, **kw)))
        if self.udp:  # scapy 2.5 takes the UDP length before it appends the ESP packet
            struct.pack_into("!H", outer, 24, len(outer) - 20)
        return bytes(outer)

    def decrypt(self, outer):
        """The inner packet (bytes) of an outer one (bytes); raises on a wrong ICV, wrong SPI,
        wrong encapsulation or wrong padding."""
        ip = IP(outer)
        if self.udp != (ip.proto == 17):
            raise ValueError("wrong encapsulation")
        if self.udp:
            udp = ip[UDP]
            if (udp.sport, udp.dport, udp.chksum) != (4500, self.udp_port, 0):
                raise ValueError(f"UDP header {udp.sport} {udp.dport} {udp.chksum}")
            if not isinstance(udp.payload, ESP):
                udp.payload = ESP(bytes(udp.payload))
        return bytes(self.back.decrypt(ip))

    def seq(self, outer):
        """(SPI, sequence number) of an outer packet."""
        offset = (outer[0] & 15) * 4 + (8 if self.udp else 0)
        return struct.unpack_from("!LL", outer, offset)

    def tshark_sa(self):
        """Two lines of Wireshark's esp_sa table, or none if it can't do this."""
        cipher, key_len, salt_len = SUITES[self.suite][:3]
        t_cipher, t_auth = SUITES[self.suite][5:7]
        if t_cipher is None or self.esn:
            return []
        cut = key_len + salt_len
        lines = []
        for spi, key in ((self.spi_to_pop, self.key_to_pop),
                         (self.spi_from_pop, self.key_from_pop)):
            auth = f"0x{key[cut:].hex()}" if t_auth != "NULL" else ""
            lines.append(f'"IPv4","*","*","0x{spi:08x}","{t_cipher}","0x{key[:cut].hex()}",'
                         f'"{t_auth}","{auth}"')
        return lines
