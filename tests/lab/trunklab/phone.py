# SPDX-License-Identifier: BSD-3-Clause
"""Real phones: baresip, which plays a file as its microphone and keeps what it hears.

G.711 A-law: of what such a phone hears, the PCM is exactly what the other one's file has, if that file
was made of A-law (audio.speak_alaw).
"""
import contextlib
import glob
import os
import subprocess
import time

from .report import Failed

CONFIG = """module_path /usr/lib/baresip/modules
net_interface {address}
sip_listen {address}:{port}
rtp_ports {rtp}-{rtp_end}
rtcp_mux no
rtp_stats yes
audio_source aufile,{wav}
audio_player aubridge,nowhere
audio_alert aubridge,silent
audio_level no
ausrc_srate 8000
auplay_srate 8000
ausrc_channels 1
auplay_channels 1
jitter_buffer_type fixed
jitter_buffer_delay 1-50
snd_path {dir}
module aubridge.so
module aufile.so
module g711.so
module sndfile.so
module srtp.so
module_tmp uuid.so
module_tmp account.so
module_app menu.so
"""


class Phone:
    """Its SIP goes by proxy (address:port), if there is one. secure: SRTP by SDES, or nothing."""

    def __init__(self, world, namespace, name, user, address, wav, port=5060, rtp=30000, proxy=None,
                 answers=False, secure=False):
        self.world, self.namespace, self.name = world, namespace, name
        self.dir = os.path.join(world.dir, name)
        os.makedirs(self.dir)
        account = f"<sip:{user}@{address}:{port}>;regint=0;audio_codecs=pcma/8000/1"
        account += ";answermode=auto" if answers else ";answermode=manual"
        account += ";mediaenc=srtp-mand" if secure else ""
        account += f';outbound="sip:{proxy}"' if proxy else ""
        self._write("config", CONFIG.format(address=address, port=port, rtp=rtp, rtp_end=rtp + 100,
                                            wav=wav, dir=self.dir))
        self._write("accounts", account + "\n")
        self._write("contacts", "")
        self.process = None

    def _write(self, name, text):
        with open(os.path.join(self.dir, name), "w", encoding="utf-8") as f:
            f.write(text)

    def start(self, *commands):
        argv = ["baresip", "-4", "-v", "-f", self.dir]
        for command in commands:
            argv += ["-e", command]
        self.process = self.world.spawn(self.namespace, "sh", "-c", 'cd "$0" && exec "$@"', self.dir,
                                        *argv, stdin=subprocess.DEVNULL,
                                        log=os.path.join(self.name, "out"))
        return self

    def wait_ready(self, timeout=10.0):
        self.wait_said("baresip is ready", timeout)
        return self

    def wait_said(self, text, timeout):
        deadline = time.monotonic() + timeout
        while text not in self.said():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise Failed(f"{self.name} does not say {text!r}:\n{self.said()[-2000:]}")
            time.sleep(0.05)

    def said(self):
        with contextlib.suppress(OSError), open(os.path.join(self.dir, "out"), encoding="utf-8",
                                                errors="replace") as f:
            return f.read()
        return ""

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(5)

    def heard(self):
        """PCM of its only call, 16 bits, 8 kHz; the phone has ended."""
        found = glob.glob(os.path.join(self.dir, "dump-*-dec.wav"))
        if len(found) != 1:
            raise Failed(f"{self.name} has {len(found)} recordings:\n{self.said()[-2000:]}")
        with open(found[0], "rb") as f:
            data = f.read()
        return data[data.index(b"data") + 8:]
