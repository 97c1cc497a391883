// SPDX-License-Identifier: BSD-3-Clause
// Every key of the configuration, declared once. The structs that libcyaml fills, its schema, the
// checks of form and range, and the reference in docs/configuration.md all derive from these rows.
//
// K(T, kind, name, need, a, b, default, help), where a and b are, by kind:
//   STR, SEC  what is expected, in words; most characters. SEC is a secret: never shown.
//   UINT      least and greatest value
//   BOOL      unused
//   ENUM      the array of cyaml_strval, unused
//   MAP       the mapping's tag, unused
//   STRS      what is expected of an entry, in words; most entries
//   UINTS     greatest value, most entries
//   MAPS      the entries' tag, most entries
// need is REQ or OPT. The default is for people, and NULL where there is none.
#pragma once

#include "config.h"
#include "ike/feed.h"

#define KEYS_memory(K, T)                                                                        \
	K(T, ENUM, hugepages, OPT, config_hugepages_values, 0, "auto",                           \
	  "`on` needs hugepages, `off` leaves them alone, `auto` uses them where there are "     \
	  "enough.")                                                                             \
	K(T, UINT, megabytes, OPT, 64, 1048576, "768", "Memory for packets and tables, in MiB.") \
	K(T, UINT, mbufs, OPT, 4096, 16777216, "65536",                                          \
	  "Packet buffers of all ports, and more by themselves where the default is too few; "   \
	  "each takes 2,432 bytes of `megabytes`.")

#define KEYS_limits(K, T)                                                                         \
	K(T, UINT, calls, OPT, 1, 500000, "50000", "Calls at a time.")                            \
	K(T, UINT, sas, OPT, 1, 65536, "8192", "Pairs of security associations at a time.")       \
	K(T, UINT, customers, OPT, 1, CONFIG_CUSTOMERS_MAX, "4096", "Customers.")                 \
	K(T, UINT, punt_rate, OPT, 10, 1000000, "2000",                                           \
	  "Packets per second that each port passes to the kernel (ARP, ICMP, IKE, BGP). On an "  \
	  "outside port, half of it is for customers' gateways, tunnels and ARP.")                \
	K(T, UINT, punt_source_rate, OPT, 1, 1000000, "200",                                      \
	  "Packets per second to the kernel of one source address on an outside port, or of one " \
	  "customer's tunnel; a second's worth may come at once.")                                \
	K(T, UINT, port_quarantine, OPT, 0, 300, "10",                                            \
	  "Seconds for which no call gets the ports of one that ended, so that late packets "     \
	  "reach nobody. A port that is asked for by its number is given at once.")

#define KEYS_timeouts(K, T)                                                                      \
	K(T, UINT, silence, OPT, 0, 86400, "60",                                                 \
	  "Seconds without a packet from either side after which an answered call ends.")        \
	K(T, UINT, held, OPT, 0, 604800, "3600", "The same while it is on hold in a direction.") \
	K(T, UINT, offer, OPT, 0, 86400, "300",                                                  \
	  "Seconds after which a call ends that nobody has answered.")                           \
	K(T, UINT, final, OPT, 0, 604800, "0", "Seconds after which any call ends.")

#define KEYS_api(K, T)                                                                             \
	K(T, STR, socket, OPT, "an absolute path of at most 107 characters", 4095,                 \
	  "`api.sock` in `run_dir`", "The socket that `trunkline` and the IKE plugin connect to.") \
	K(T, STR, group, OPT, "the name of a group", 63, NULL,                                     \
	  "Group that may use the socket besides the daemon's own user.")

#define KEYS_control(K, T)                                                                    \
	K(T, STRS, ng, OPT, "ADDRESS:PORT such as 127.0.0.1:2223", 8, "no NG",                \
	  "Where SIP proxies reach us by the NG protocol, over UDP and TCP; see docs/ng.md.") \
	K(T, STRS, ng_allow, OPT, "a network such as 198.18.20.0/24", 64,                     \
	  "[127.0.0.0/8], if `ng` is there as well",                                          \
	  "Who may use `ng`. Messages from elsewhere are counted and get no answer.")

#define KEYS_ike(K, T)                                                     \
	K(T, STR, feed, OPT, "an absolute path", 107, FEED_SOCKET,         \
	  "Socket where the IKE daemon's plugin brings SAs and policies.") \
	K(T, STR, vici, OPT, "an absolute path", 107, "/run/charon.vici",  \
	  "Socket where charon takes connections and secrets (VICI).")

#define KEYS_records(K, T)                                                                     \
	K(T, STR, sqlite, OPT, "an absolute path", 4095, "no database",                        \
	  "SQLite database of call records; see docs/call-records.md.")                        \
	K(T, STR, json, OPT, "an absolute path", 4095, "no files",                             \
	  "Directory of call records as JSON lines, a file a day.")                            \
	K(T, STR, live, OPT, "an absolute path", 4095, "`calls.live` in `run_dir`",            \
	  "File of calls in progress, from which they are recorded should the daemon die. It " \
	  "belongs on a file system in memory.")

#define KEYS_port(K, T)                                                                            \
	K(T, STR, name, REQ, "1 to 15 of a-z, 0-9 and -", 255, NULL,                               \
	  "The port's name, and that of its TAP, where the kernel sees it.")                       \
	K(T, STR, device, REQ, CONFIG_DEVICE_FORM, 255, NULL,                                      \
	  "A PCI address, or a driver and what it works on. Ports that share a device differ by "  \
	  "`vlan`.")                                                                               \
	K(T, STRS, addresses, REQ, "an address with its prefix length such as 198.18.10.1/24", 16, \
	  NULL, "Interface addresses.")                                                            \
	K(T, UINT, mtu, OPT, 576, 9000, "1500", "Bytes of IP in one packet.")                      \
	K(T, ENUM, side, OPT, config_side_values, 0, "by the name: `in...` or `out...`",           \
	  "Customers and the Internet are outside, the platform is inside.")                       \
	K(T, UINT, vlan, OPT, 1, 4094, "untagged", "VLAN tag of the port's packets.")              \
	K(T, UINT, queues, OPT, 1, CONFIG_WORKERS_MAX, "one a worker, where the device has them",  \
	  "Receive and transmit queues at most.")

#define KEYS_media(K, T)                                                                   \
	K(T, STR, address, REQ, "an IPv4 address such as 198.18.30.1", 63, NULL,           \
	  "Address that RTP is sent to and comes from.")                                   \
	K(T, STR, ports, REQ, "a range of UDP ports such as 10000-59999", 63, NULL,        \
	  "Ports given out to calls, in pairs: RTP on the even one, RTCP on the odd one.") \
	K(T, STR, on, REQ, "the name of a port", 63, NULL, "Port whose network holds the address.")

#define KEYS_leg(K, T)                                                                        \
	K(T, STR, media, REQ, "one of the media addresses", 63, NULL, "Local media address.") \
	K(T, UINT, port, OPT, 1024, 65535, "any free one", "Local RTP port, even.")           \
	K(T, STR, remote, OPT, "ADDRESS:PORT such as 192.0.2.10:4000", 63, "learned",         \
	  "Where the peer sends from and receives.")                                          \
	K(T, BOOL, latch, OPT, 0, 0, "true without `remote`, false with it",                  \
	  "Learn the peer's address from its first packet, even if `remote` says another.")   \
	K(T, BOOL, mux, OPT, 0, 0, "false", "RTCP shares the RTP port (RFC 5761).")           \
	K(T, UINT, dscp, OPT, 0, 63, "as received", "DSCP of what is sent to the peer.")      \
	K(T, STR, customer, OPT, "the name of a customer", 63, "none",                        \
	  "Customer whose tunnel reaches the peer.")

#define KEYS_call(K, T)                                                                     \
	K(T, STR, id, REQ, "1 to 63 of A-Z, a-z, 0-9, '.', '_' and '-'", 255, NULL,         \
	  "The call's name in `trunkline show calls`.")                                     \
	K(T, UINT, clock_rate, OPT, 1000, 192000, "8000", "Of the RTP time stamps, in Hz.") \
	K(T, UINT, timeout, OPT, 0, 86400, "60",                                            \
	  "Seconds without a packet after which the call counts as dead; 0: never.")        \
	K(T, MAP, a, REQ, leg, 0, NULL, "One side.")                                        \
	K(T, MAP, b, REQ, leg, 0, NULL, "The other side.")

#define KEYS_main(K, T)                                                                            \
	K(T, STR, pop, REQ, "the PoP's name, 1 to 63 of a-z, 0-9 and -", 255, NULL,                \
	  "Name of this point of presence.")                                                       \
	K(T, UINTS, workers, REQ, 1023, CONFIG_WORKERS_MAX, NULL,                                  \
	  "CPUs, one worker each; every worker owns a share of the customers and calls.")          \
	K(T, UINT, control_cpu, OPT, 0, 1023, "any", "CPU of the control thread.")                 \
	K(T, ENUM, idle, OPT, config_idle_values, 0,                                               \
	  "`poll` on machines with more than two CPUs where the workers leave one to the others",  \
	  "What a worker without packets does: `poll` keeps its CPU busy and answers fastest, "    \
	  "`sleep` backs off to naps of microseconds.")                                            \
	K(T, MAP, memory, OPT, memory, 0, NULL, "Memory.")                                         \
	K(T, MAP, limits, OPT, limits, 0, NULL, "How much of what there can be.")                  \
	K(T, MAP, timeouts, OPT, timeouts, 0, NULL,                                                \
	  "When calls end by themselves that came by signalling, see `control`; 0: never. Those "  \
	  "of `calls` have a timeout of their own.")                                               \
	K(T, MAP, api, OPT, api, 0, NULL, "The control socket.")                                   \
	K(T, MAP, control, OPT, control, 0, NULL, "Signalling.")                                   \
	K(T, MAP, ike, OPT, ike, 0, NULL,                                                          \
	  "Tunnels that charon negotiates; without it, SAs have static keys. `ike: {}` takes the " \
	  "defaults.")                                                                             \
	K(T, STR, run_dir, OPT, "an absolute path", 4095, "/run/trunkline",                        \
	  "Directory of sockets and run-time files.")                                              \
	K(T, ENUM, log, OPT, config_log_values, 0, "info", "What is logged: this and worse.")      \
	K(T, MAPS, ports, REQ, port, CONFIG_PORTS_MAX, NULL, "Network ports.")                     \
	K(T, MAPS, media, OPT, media, CONFIG_MEDIA_MAX, NULL, "Addresses that RTP is relayed on.") \
	K(T, STR, customers, OPT, "a directory, from the file's own place", 4095, "no customers",  \
	  "Directory of one `NAME.yaml` a customer. Hidden files and other endings are not read.") \
	K(T, STR, recordings, OPT, "an absolute path", 4095, "no recordings",                      \
	  "Directory of recorded calls, a pcap file each.")                                        \
	K(T, MAP, records, OPT, records, 0, NULL, "A record of each call that ended.")             \
	K(T, MAPS, calls, OPT, call, 500000, NULL, "Calls that are there from the start.")

#define KEYS_sa(K, T)                                                                             \
	K(T, STR, suite, REQ, "the name of a cipher suite such as aes256gcm16", 63, NULL,         \
	  "Cipher suite.")                                                                        \
	K(T, UINT, spi_in, REQ, 256, UINT32_MAX, NULL,                                            \
	  "SPI of packets from the customer, decimal or 0x hexadecimal. Its low 16 bits are "     \
	  "unlike "                                                                               \
	  "any other's.")                                                                         \
	K(T, UINT, spi_out, REQ, 256, UINT32_MAX, NULL, "SPI of packets to the customer.")        \
	K(T, SEC, key_in, REQ, "hexadecimal digits on the same line, bare or in quotes", 255,     \
	  NULL,                                                                                   \
	  "Key of packets from the customer, in hexadecimal: cipher key, salt (4 bytes, GCM and " \
	  "ChaCha20 only), authentication key (HMAC only).")                                      \
	K(T, SEC, key_out, REQ, "hexadecimal digits on the same line, bare or in quotes", 255,    \
	  NULL, "Key of packets to the customer, likewise. No key may be used twice.")            \
	K(T, STR, local, REQ, "ADDRESS or ADDRESS:PORT of a port", 63, NULL,                      \
	  "Our end of the tunnel: an address of a port; with `encap` also a UDP port (4500).")    \
	K(T, STR, peer, OPT, "ADDRESS or ADDRESS:PORT", 63, "the customer's `gateway`",           \
	  "The customer's end of the tunnel, likewise.")                                          \
	K(T, BOOL, encap, OPT, 0, 0, "false", "ESP in UDP (RFC 3948), for gateways behind NAT.")  \
	K(T, BOOL, esn, OPT, 0, 0, "false", "Extended sequence numbers (RFC 4304).")              \
	K(T, BOOL, ecn, OPT, 0, 0, "true", "RFC 6040 normal mode instead of compatibility mode.") \
	K(T, BOOL, dscp, OPT, 0, 0, "true", "The outer header shows the inner packet's DSCP.")    \
	K(T, ENUM, df, OPT, config_df_values, 0, "copy",                                          \
	  "The outer header's don't-fragment bit: clear, set, or the inner packet's.")            \
	K(T, UINT, window, OPT, SA_WINDOW_MIN, SA_WINDOW_MAX, "1024",                             \
	  "Replay window in packets, a power of two.")                                            \
	K(T, UINT, tfc_pad, OPT, 1, 9000, "none",                                                 \
	  "Every packet to the customer is padded to this many bytes (RFC 4303 section 2.7).")    \
	K(T, STRS, local_nets, OPT, "a network such as 198.18.20.0/24", 16, "[0.0.0.0/0]",        \
	  "Selectors of our side.")                                                               \
	K(T, STRS, remote_nets, OPT, "a network such as 192.0.2.0/25", 16,                        \
	  "the customer's `domain`",                                                              \
	  "Selectors of the customer's side, inside `domain`; `local_nets` times `remote_nets` "  \
	  "are 16 at most.")                                                                      \
	K(T, STR, proto, OPT, CONFIG_PROTO_FORM, 63, "any", "IP protocol that the SA carries.")   \
	K(T, STR, ports, OPT, "a port or a range such as 5060-5061", 63, "any",                   \
	  "Ports of the customer's side; with `proto: udp`, `tcp` or `sctp` only.")

#define KEYS_tunnel(K, T)                                                                          \
	K(T, ENUM, version, OPT, config_version_values, 0, "2",                                    \
	  "IKE version. `any` answers both and asks by IKEv2.")                                    \
	K(T, STR, psk, OPT, "a file, from this file's own place", 4095, "`NAME.psk`",              \
	  "File of the pre-shared key, readable by its owner alone: one line, as it is, or "       \
	  "`0x` and hexadecimal, or `0s` and base64.")                                             \
	K(T, STR, local, OPT, "an IPv4 address of a port", 63, "the first one of an outside port", \
	  "Our end of the tunnel.")                                                                \
	K(T, STR, local_id, OPT, CONFIG_ID_FORM, 127, "`local`",                                   \
	  "What we call ourselves to the customer's gateway.")                                     \
	K(T, STR, remote_id, OPT, CONFIG_ID_FORM, 127, "the customer's `gateway`",                 \
	  "What the customer's gateway calls itself. No two customers have the same.")             \
	K(T, ENUM, start, OPT, config_start_values, 0, "respond",                                  \
	  "`initiate` brings the tunnel up from here, and again whenever it is down; "             \
	  "`respond` waits for the gateway.")                                                      \
	K(T, STRS, proposals, OPT, CONFIG_PROPOSAL_FORM, 16, CONFIG_PROPOSALS_DEFAULT,             \
	  "Algorithms of the IKE SA, as strongSwan writes them, the best first.")                  \
	K(T, STRS, esp, OPT, CONFIG_ESP_FORM, 16, CONFIG_ESP_DEFAULT,                              \
	  "Algorithms of the tunnel's packets, likewise; with a group (`ecp256`) there is "        \
	  "perfect "                                                                               \
	  "forward secrecy, without one there is none.")                                           \
	K(T, UINT, rekey, OPT, 0, 31536000, "14400",                                               \
	  "Seconds until the IKE SA is rekeyed from here; 0: never.")                              \
	K(T, UINT, child_rekey, OPT, 0, 31536000, "3600",                                          \
	  "Seconds until the tunnel's keys are replaced from here; they live a tenth longer. "     \
	  "0: never.")                                                                             \
	K(T, UINT, dpd_delay, OPT, 0, 86400, "30",                                                 \
	  "Seconds of silence after which the gateway is asked whether it is still there; 0: "     \
	  "never.")                                                                                \
	K(T, UINT, dpd_timeout, OPT, 1, 86400, "as charon's retransmissions",                      \
	  "Seconds without an answer after which an IKEv1 gateway counts as gone. With IKEv2 "     \
	  "charon's `retransmit_*` settings decide; see docs/operations.md.")                      \
	K(T, BOOL, mobike, OPT, 0, 0, "true",                                                      \
	  "The gateway may move to another address (RFC 4555, IKEv2).")                            \
	K(T, BOOL, encap, OPT, 0, 0, "false",                                                      \
	  "ESP in UDP (RFC 3948) even if there is no NAT in between.")                             \
	K(T, UINT, window, OPT, SA_WINDOW_MIN, SA_WINDOW_MAX, "1024",                              \
	  "Replay window in packets, a power of two.")                                             \
	K(T, STRS, local_nets, OPT, "a network such as 198.18.20.0/24", 16,                        \
	  "the media addresses and the networks of `allow`",                                       \
	  "Selectors of our side, within what the customer may reach.")                            \
	K(T, STRS, remote_nets, OPT, "a network such as 192.0.2.0/25", 16,                         \
	  "the customer's `domain`",                                                               \
	  "Selectors of the customer's side, inside `domain`; `local_nets` times `remote_nets` "   \
	  "are 16 at most.")

#define KEYS_customer(K, T)                                                                       \
	K(T, STR, name, REQ, "1 to 63 of a-z, 0-9 and -", 255, NULL, "The customer's name.")      \
	K(T, ENUM, tier, REQ, config_tier_values, 0, NULL,                                        \
	  "Bandwidth bought, each way, metered on the outer packets.")                            \
	K(T, UINT, burst_ms, OPT, 1, 1000, "20",                                                  \
	  "What may be sent at once, in milliseconds of the tier.")                               \
	K(T, STR, worker, OPT, "any, or an index into workers", 63, "any",                        \
	  "Worker that owns the customer: 0 is the first of `workers`.")                          \
	K(T, STR, gateway, OPT, "an IPv4 address such as 203.0.113.9", 63, "unknown",             \
	  "The customer's VPN gateway.")                                                          \
	K(T, STRS, domain, REQ, "a public network such as 192.0.2.0/24", 256, NULL,               \
	  "Encryption domain: the customer's networks, routed into the tunnel. Public and no "    \
	  "other customer's.")                                                                    \
	K(T, STRS, allow, OPT, CONFIG_ALLOW_FORM, 256, "nothing",                                 \
	  "What the customer may reach through the PoP and be reached from, besides media: "      \
	  "`NETWORK [PROTOCOL [PORTS]]`, ports of the far side.")                                 \
	K(T, MAP, ike, OPT, tunnel, 0, NULL,                                                      \
	  "The customer's gateway negotiates the tunnel by IKE; `ike: {}` takes the defaults. "   \
	  "Needs `ike` in the main file.")                                                        \
	K(T, MAPS, sas, OPT, sa, 64, NULL,                                                        \
	  "Pairs of security associations with static keys. A file with keys is readable by its " \
	  "owner alone.")

#define CONFIG_PROPOSAL_FORM \
	"a proposal such as aes256gcm16-prfsha384-ecp384 or aes256-sha256-modp2048"
#define CONFIG_ESP_FORM "a proposal such as aes256gcm16-ecp384 or aes256-sha256-modp2048"
#define CONFIG_ID_FORM                                                                            \
	"an identity such as 203.0.113.9, gw.example.net or admin@example.net, 1 to 127 of A-Z, " \
	"a-z, 0-9, '.', '_', '-', '@' and ':'"
#define CONFIG_PROPOSALS_DEFAULT \
	"AES-GCM or AES-CBC with SHA-2, 128 to 256 bits, groups 19, 20, 14 and 21 (see \"IKE\")"
#define CONFIG_ESP_DEFAULT "likewise, with perfect forward secrecy"
#define CONFIG_DEVICE_FORM                                                                 \
	"a PCI address such as 0000:3b:00.0, or af_xdp:IFACE, af_packet:IFACE, tap:NAME, " \
	"ring:NAME, pcap:RX[,TX] or vdev:net_..."
#define CONFIG_PROTO_FORM "udp, tcp, icmp, sctp, esp, any, or a number from 1 to 255"
#define CONFIG_ALLOW_FORM "NETWORK [PROTOCOL [PORTS]] such as \"198.18.20.0/24 udp 5060-5061\""
