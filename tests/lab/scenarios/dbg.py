"""x"""
import time,subprocess
from trunklab import world as w, wire, tap
from trunklab.daemon import Daemon, call_config, customer_config, pop_config
from trunklab.esp import Tunnel
def main():
    with w.World() as world:
        tunnel = Tunnel("aes256gcm16", 0x1001, 0x20000001)
        calls = [call_config("demo", 10000, 20000, remote_b=f"{w.PLATFORM}:4000")]
        d = Daemon(world, pop_config(world, calls=calls), [customer_config("acme", [tunnel.config()])]).start()
        world.greet()
        g = w.scapy_gateway(world, tunnel)
        echo = tap.Echo(world.platform, w.PLATFORM, 4000)
        d.cli("trace","start")
        s = world.customer.udp(w.PHONE, 14000, 1)
        s2 = world.customer.udp(w.PHONE, 14001, 1)
        import struct
        s2.sendto(struct.pack("!BBHLLLLLL", 0x80, 200, 6, 1, 2, 3, 4, 5, 6), (w.MEDIA_OUTSIDE,10001))
        time.sleep(0.1)
        for i in range(5):
            s.sendto(wire.rtp(i,160*i,bytes(160)), (w.MEDIA_OUTSIDE,10000))
            time.sleep(0.02)
        print(len(wire.receive(s,5,1)))
        print({k:v for k,v in d.drops().items() if v})
        print(d.cli_text("trace","show").stdout[:3000])
        g.terminate(); print(g.stdout.read())
    return 0
