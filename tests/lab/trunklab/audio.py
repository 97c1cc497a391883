# SPDX-License-Identifier: BSD-3-Clause
"""Speech as G.711: made by espeak-ng and ffmpeg, sent by ffmpeg, compared and kept as WAV."""
import os
import struct
import subprocess

FFMPEG = ["ffmpeg", "-hide_banner", "-loglevel", "error", "-nostdin", "-y"]


def speak(text, directory):
    """A WAV of the text, and its G.711 µ-law at 8 kHz (bytes)."""
    wav = os.path.join(directory, "sent.wav")
    subprocess.run(["espeak-ng", "-v", "en-us", "-s", "150", "-w", wav, text], check=True)
    done = subprocess.run([*FFMPEG, "-i", wav, "-ar", "8000", "-ac", "1", "-f", "mulaw", "-"],
                          stdout=subprocess.PIPE, check=True)
    return wav, done.stdout


def speak_alaw(text, directory, name, voice="en-us", seconds=None, before=0.0, after=0.0):
    """A WAV at 8 kHz that G.711 A-law carries without loss, with silence before and after; and the PCM of
    its speech, whole 20 ms."""
    spoken, path = (os.path.join(directory, name + x) for x in ("-spoken.wav", ".wav"))
    subprocess.run(["espeak-ng", "-v", voice, "-s", "150", "-w", spoken, text], check=True)
    size = [] if seconds is None else ["-af", f"apad=whole_dur={seconds}", "-t", str(seconds)]
    alaw = subprocess.run([*FFMPEG, "-i", spoken, "-ar", "8000", "-ac", "1", *size, "-f", "alaw", "-"],
                          stdout=subprocess.PIPE, check=True).stdout
    alaw = alaw[:len(alaw) // 160 * 160]
    quiet = [b"\xd5" * int(s * 50) * 160 for s in (before, after)]
    pcm = subprocess.run([*FFMPEG, "-f", "alaw", "-ar", "8000", "-ac", "1", "-i", "-", "-f", "s16le",
                          "-"], input=quiet[0] + alaw + quiet[1], stdout=subprocess.PIPE, check=True).stdout
    write_pcm(path, pcm)
    return path, pcm[len(quiet[0]) * 2:][:len(alaw) * 2]


def write_pcm(path, pcm):
    with open(path, "wb") as f:
        f.write(b"RIFF" + struct.pack("<L", 36 + len(pcm)) + b"WAVEfmt "
                + struct.pack("<LHHLLHH", 16, 1, 1, 8000, 16000, 2, 16)
                + b"data" + struct.pack("<L", len(pcm)) + pcm)


def ffmpeg_rtp(wav, address, port, local_port):
    """The command that sends a WAV as RTP: 20 ms a packet, in real time, with RTCP."""
    url = (f"rtp://{address}:{port}?localrtpport={local_port}&localrtcpport={local_port + 1}"
           f"&pkt_size=172")
    # lavfi hands out 20 ms at a time, so that -re paces every packet and not every file block
    graph = f"amovie={os.path.basename(wav)},aresample=8000,asetnsamples=n=160:p=0"
    return ["sh", "-c", 'cd "$0" && exec "$@"', os.path.dirname(os.path.abspath(wav)),
            "ffmpeg", "-hide_banner", "-loglevel", "error", "-nostdin", "-re",
            "-f", "lavfi", "-i", graph, "-ac", "1", "-acodec", "pcm_mulaw",
            "-f", "rtp", "-sdp_file", "/dev/null", url]


def write_wav(path, ulaw):
    subprocess.run([*FFMPEG, "-f", "mulaw", "-ar", "8000", "-ac", "1", "-i", "-", path],
                   input=ulaw, check=True)


def rtp_payload(packet):
    """(sequence number, payload) of an RTP packet, None for anything else."""
    if len(packet) < 12 or packet[0] >> 6 != 2 or 192 <= packet[1] <= 223:
        return None
    return struct.unpack_from("!H", packet, 2)[0], packet[12 + 4 * (packet[0] & 15):]
