// SPDX-License-Identifier: BSD-3-Clause
// The IKE feed on the wire: how an IKE daemon programs the data plane. docs/ike-feed.md is the
// reference for other IKE daemons; this is the same as C structs, for both ends.
//
// A unix stream socket. Each message starts with a header: length of the whole message, type, id,
// all big-endian. The IKE daemon sends requests with an id other than 0 and gets one answer to each,
// in order, with the same id and a status; what the gateway reports by itself (events) has id 0.
// A request that changes something is answered once the workers have it.
//
// Life of a connection: HELLO first, both ways. Then the IKE daemon replays the SAs and policies that
// it holds (SA_ADD with replay set, POLICY_ADD) and says REPLAYED. From then on each side sends as it likes.
// SAs of an earlier connection that were not replayed are orphans: they work on until their hard
// lifetime, until another SA pair takes their policy's place, or until they are deleted.
#pragma once

#include "../base/err.h"
#include "../base/net.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FEED_VERSION 1
#define FEED_SOCKET "/run/charon.trunkline"
#define FEED_HEADER 10         // bytes: length (4), type (2), id (4)
#define FEED_MESSAGE_MAX 65536 // bytes with the header
#define FEED_TS_MAX 32         // traffic selectors of one side of one SA
#define FEED_KEY_MAX 64        // bytes of one key
#define FEED_SEQS_MAX 1024     // entries in one report
#define FEED_TEXT_MAX 256
// An outbound SA that is made again from a replay begins this many numbers after the one that was known:
// more than it can have sent since (two seconds of the largest tier), because no number may be used twice.
#define FEED_SEQ_JUMP (1u << 20)

enum feed_type {
	// requests
	FEED_HELLO = 1, // hello → hello
	FEED_REPLAYED,  // nothing → nothing
	FEED_SPI_GET, // id_ (src, dst) → id.spi: an inbound SPI, reserved for 165 s or until SA_ADD
	FEED_SA_ADD,       // sa → nothing
	FEED_SA_UPDATE,    // update → nothing
	FEED_SA_QUERY,     // id → usage
	FEED_SA_DEL,       // id → nothing
	FEED_SA_FLUSH,     // nothing → nothing: all SAs that IKE has made
	FEED_POLICY_ADD,   // policy → nothing
	FEED_POLICY_QUERY, // policy (selectors, dir, if_id) → usage (last_use only)
	FEED_POLICY_DEL,   // policy → nothing
	FEED_POLICY_FLUSH, // nothing → nothing
	FEED_NOTE, // note → nothing: something an operator should know, for the gateway's log
	// events
	FEED_EXPIRE = 64, // expire
	FEED_MAPPING,     // mapping
	FEED_ACQUIRE,     // acquire
	FEED_SEQS,        // seqs: sequence numbers reached, once a second for those that moved
};
#define FEED_ANSWER 0x8000 // in an answer's type

struct feed_hello {
	uint16_t version;  // FEED_VERSION; the answer says what the gateway speaks
	uint64_t instance; // random for each start of the process that says it
	char name[64];     // of the program and its version
};

// An SA by what names it: SPI, destination, protocol (50).
struct feed_id {
	uint32_t spi; // host order here, big-endian on the wire, as all numbers
	struct ip_addr src, dst;
	uint8_t proto;
	uint32_t if_id;
};

// A traffic selector (RFC 7296 section 3.13.1). proto 0: any. Ports 0..65535 for any.
struct feed_ts {
	struct ip_addr lo, hi; // inclusive
	uint16_t port_lo, port_hi;
	uint8_t proto;
};

struct feed_lifetime {
	uint64_t soft, hard; // 0: none. Seconds since the SA was added, bytes, or packets
};

enum feed_sa_flag {
	FEED_INBOUND = 1 << 0,
	FEED_ENCAP = 1 << 1, // ESP in UDP; the endpoints' ports count
	FEED_ESN = 1 << 2,
	FEED_COPY_DF = 1 << 3,
	FEED_COPY_DSCP = 1 << 4,
	FEED_COPY_ECN = 1 << 5,
	// Held since an earlier connection: seq counts, and it may have moved since.
	FEED_REPLAY = 1 << 6,
	FEED_WAIT =
		1 << 7, // out: the peer has it only once our next message has arrived (IKEv1, asked
			// for by us); one that is replaced by it is used for a moment longer
};

// Algorithms are IKEv2's transform ids (RFC 7296 section 3.3.2): encryption (type 1) 12 AES-CBC, 20
// AES-GCM-16, 28 ChaCha20-Poly1305; integrity (type 3) 2 HMAC-SHA1-96, 12 SHA2-256-128, 13
// SHA2-384-192, 14 SHA2-512-256, 0 none. An AEAD's key ends with its salt.
struct feed_sa {
	uint32_t spi, reqid, if_id, flags; // feed_sa_flag
	struct ip_endpoint src, dst;
	uint16_t encr, integ;
	uint16_t encr_len, integ_len; // bytes of key
	uint8_t encr_key[FEED_KEY_MAX], integ_key[FEED_KEY_MAX];
	uint16_t window; // replay window in packets
	uint16_t tfc;    // pad to this many bytes, 0: don't
	struct feed_lifetime time, bytes, packets;
	uint64_t seq; // with FEED_REPLAY: last number known (FEED_SEQS)
	uint64_t age; // with FEED_REPLAY: seconds since it was made
	uint16_t n_src, n_dst;
	struct feed_ts src_ts[FEED_TS_MAX], dst_ts[FEED_TS_MAX];
};

struct feed_update {
	struct feed_id id;           // as it was
	struct ip_endpoint src, dst; // as it is from now on
	bool encap;
};

struct feed_usage {
	uint64_t bytes, packets;
	uint64_t last_use; // seconds ago + 1; 0: never
};

enum feed_dir { FEED_IN = 1, FEED_OUT, FEED_FWD };
enum feed_policy_type { FEED_POLICY_IPSEC = 1, FEED_POLICY_PASS, FEED_POLICY_DROP };

struct feed_policy {
	uint8_t dir, type;
	uint32_t priority;          // lower is first
	uint32_t reqid, spi, if_id; // spi 0: a trap (the gateway asks for an SA by ACQUIRE)
	struct ip_addr src, dst;    // of the tunnel
	struct feed_ts src_ts, dst_ts;
};

struct feed_expire {
	struct feed_id id;
	bool hard;
};

struct feed_mapping {
	struct feed_id id; // inbound SA
	uint32_t reqid;
	struct ip_endpoint was, is; // where its authenticated packets came from, come from now
};

struct feed_acquire {
	uint32_t reqid, if_id;
	struct feed_ts src_ts, dst_ts; // of the packet
};

struct feed_seq {
	uint32_t spi;
	uint8_t inbound;
	uint64_t seq; // out: last used; in: top of the window
};

struct feed_seqs {
	uint16_t n;
	struct feed_seq seq[FEED_SEQS_MAX];
};

enum feed_note_level { FEED_NOTE_ERROR = 3, FEED_NOTE_WARN, FEED_NOTE_NOTICE, FEED_NOTE_INFO };

struct feed_note {
	uint8_t level;
	uint32_t if_id;          // customer, 0: not known
	struct ip_endpoint peer; // family 0: not known
	char conn[64];           // connection, "" if not known
	char text[FEED_TEXT_MAX];
};

struct feed_msg {
	uint16_t type; // feed_type, FEED_ANSWER in answers
	uint32_t id;
	int32_t status; // answers: 0 or a negative errno; then text says why
	char text[FEED_TEXT_MAX];
	union {
		struct feed_hello hello;
		struct feed_id sa_id;
		struct feed_sa sa;
		struct feed_update update;
		struct feed_usage usage;
		struct feed_policy policy;
		struct feed_expire expire;
		struct feed_mapping mapping;
		struct feed_acquire acquire;
		struct feed_seqs seqs;
		struct feed_note note;
	};
};

// Bytes of the message at p, of which n are there: 0 if the header is not complete yet, or -EBADMSG if
// no message is that short or that long.
int feed_len(const uint8_t *p, size_t n);
// One whole message. 0, or -EBADMSG with a text that quotes no key. Every field is in its range
// afterwards: counts, lengths, prefixes of text, address families.
int feed_decode(const uint8_t *p, size_t n, struct feed_msg *out, struct err *err);
// Bytes written (at most FEED_MESSAGE_MAX), or -EMSGSIZE if buf is too small, -EINVAL if a field is
// out of the range that decoding allows. Unprintable bytes of texts are sent as '?'.
int feed_encode(const struct feed_msg *m, uint8_t *buf, size_t size);
// Wipes what holds keys.
void feed_wipe(struct feed_msg *m);

// ---- feed_io.c: for ends that block (the plugin, tests) ----

// Sends one message whole, within timeout_ms. 0, -ETIMEDOUT, or what send() or feed_encode() say; after
// an error of the socket the connection is of no use. Doesn't raise SIGPIPE.
int feed_send(int fd, const struct feed_msg *m, int timeout_ms);
// Waits for one message, timeout_ms for its first byte (-1: for ever) and FEED_PATIENCE ms for the
// rest. 0, -ETIMEDOUT, -ECONNRESET at the end of the stream, -EBADMSG.
int feed_recv(int fd, struct feed_msg *m, int timeout_ms, struct err *err);
#define FEED_PATIENCE 5000
