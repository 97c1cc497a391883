// SPDX-License-Identifier: BSD-3-Clause
// SDP (RFC 8866) as offer and answer carry it (RFC 3264): read it, and write it again with what is
// ours changed and every other byte as it was.
//
//     sdp_parse(&sdp, text, len, ...)      what it says, as spans of the text: nothing is copied
//     sdp_rewrite(&sdp, &change, out, ...) one pass over the text; lines are kept, cut or replaced
//
// The text is from strangers. Reading is linear, bounded by the limits below, and never allocates.
// A struct sdp is large (about 60 KB): keep one, not many, and never on a small stack. It is valid as
// long as the text is.
#pragma once

#include "base/err.h"
#include "base/net.h"
#include "srtp/srtp.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SDP_BYTES_MAX 65535
#define SDP_LINES_MAX 2048
#define SDP_SECTIONS_MAX 32
#define SDP_CODECS_MAX 512 // payload types of all sections together
#define SDP_CRYPTO_MAX 64  // a=crypto lines likewise
#define SDP_MID_MAX 32     // bundled sections that are told apart

// A piece of the text; len 0: not there.
struct sdp_span {
	const char *at;
	uint32_t len;
};

enum sdp_line_kind {
	SDP_LINE_OTHER, // kept as it is
	SDP_LINE_ORIGIN,
	SDP_LINE_NAME,
	SDP_LINE_CONNECTION,
	SDP_LINE_MEDIA,
	SDP_LINE_BANDWIDTH,
	SDP_LINE_RTCP,      // a=rtcp, RFC 3605
	SDP_LINE_RTCP_MUX,  // a=rtcp-mux, a=rtcp-mux-only
	SDP_LINE_CRYPTO,    // RFC 4568
	SDP_LINE_DTLS,      // a=fingerprint, a=setup, a=tls-id, a=connection of DTLS-SRTP
	SDP_LINE_ICE,       // a=candidate, a=ice-..., a=remote-candidates, a=end-of-candidates
	SDP_LINE_DIRECTION, // a=sendrecv ...
	SDP_LINE_CODEC,     // a=rtpmap, a=fmtp, a=rtcp-fb of one payload type
	SDP_LINE_PTIME,
	SDP_LINE_MAXPTIME,
	SDP_LINE_MID,
	SDP_LINE_LABEL,
	SDP_LINE_GROUP, // a=group:BUNDLE, a=bundle-only
	SDP_LINE_TOOL,  // a=rtcp-rsize and what else has no meaning behind a relay: kept
};

struct sdp_line {
	uint32_t at;   // offset in the text
	uint32_t len;  // without its ending
	uint8_t end;   // bytes of its ending: 2, 1, or 0 for a last line without
	uint8_t kind;  // sdp_line_kind
	int16_t value; // payload type of SDP_LINE_CODEC, -1: all of them ("*")
};

enum sdp_proto {
	SDP_PROTO_OTHER, // not RTP: UDPTL, TCP, ...
	SDP_RTP_AVP,
	SDP_RTP_AVPF,
	SDP_RTP_SAVP,
	SDP_RTP_SAVPF,
	SDP_DTLS_SAVP, // UDP/TLS/RTP/SAVP, RFC 5764
	SDP_DTLS_SAVPF,
	SDP_PROTO_COUNT
};

enum sdp_direction { SDP_SENDRECV, SDP_SENDONLY, SDP_RECVONLY, SDP_INACTIVE };

struct sdp_codec {
	uint8_t type;         // payload type, 0..127
	uint8_t channels;     // 0: not said
	uint32_t clock_rate;  // Hz; 0: not known
	struct sdp_span name; // encoding name; of the static types (RFC 3551) also without rtpmap
	struct sdp_span fmtp; // format parameters
};

// An a=crypto line.
struct sdp_crypto {
	uint32_t tag; // 1..999999999
	bool usable;  // suite, keys and session parameters are all something that we can do
	bool padded;  // the key ends in '='; kept when written
	struct srtp_params params; // suite SRTP_NONE if not usable
};

struct sdp_section {
	uint16_t first_line, n_lines; // of the lines; the first one is m=
	struct sdp_span media;        // "audio", "video", "image", ...
	struct sdp_span proto_text;
	enum sdp_proto proto;
	uint16_t port; // 0: rejected, or bundled with another (RFC 9143)
	struct ip_addr
		address; // of its c= or the session's; family 0: there is none on the Internet
	struct ip_endpoint
		rtcp;        // a=rtcp: port, and the address if it is given; port 0: no such line
	bool own_connection; // has a c= of its own
	bool odd_formats;    // rejected, with formats that are no payload types: it can get no port
	bool rtcp_mux, rtcp_mux_only;
	bool ice,
		dtls; // has candidates or ICE credentials; a fingerprint (its own or the session's)
	bool bundled; // its mid is in a=group:BUNDLE
	bool own_direction;
	enum sdp_direction direction; // its own or the session's, else sendrecv
	uint16_t ptime, maxptime;     // ms, 0: not said
	struct sdp_span mid, label;
	uint8_t dtmf_type; // payload type of telephone-event (RFC 4733) at the first codec's clock rate,
			   // or else the first one; 0: none
	uint64_t types[2];              // its payload types, one bit each
	uint16_t first_codec, n_codecs; // in the order of preference
	uint16_t first_crypto, n_crypto;
};

struct sdp {
	const char *text;
	uint32_t len;
	uint16_t n_lines, n_sections, n_codecs, n_crypto;
	uint16_t session_lines; // the first so many lines are the session's
	uint8_t newline;        // 2: lines end with CR LF, 1: with LF; as the first one does
	bool ipv6;              // there are IPv6 addresses in it
	struct sdp_span username, session_id, version, origin_address; // of o=
	struct sdp_span name;                                          // of s=
	struct ip_addr address; // of the session's c=; family 0: none
	enum sdp_direction direction;
	bool own_direction, ice_lite, dtls;
	struct sdp_line line[SDP_LINES_MAX];
	struct sdp_section section[SDP_SECTIONS_MAX];
	struct sdp_codec codec[SDP_CODECS_MAX];
	struct sdp_crypto crypto[SDP_CRYPTO_MAX];
};

enum sdp_flag {
	SDP_IPV6_REFUSE = 1 << 0, // an IPv6 address where media goes is a mistake: -EAFNOSUPPORT
};

// Reads len bytes of text (not NUL-terminated). Returns 0; -EINVAL with the line and what is wrong with
// it; -E2BIG if a limit is exceeded; -EAFNOSUPPORT. Attributes that are malformed but not ours are
// kept; of ours, a malformed one is a mistake.
int sdp_parse(struct sdp *sdp, const char *text, size_t len, unsigned flags, struct err *err);

// Forgets the keys that were read. Call it when done with the SDP, also after a mistake.
void sdp_wipe(struct sdp *sdp);

bool sdp_span_is(struct sdp_span s, const char *text); // in any case
// "RTP/AVP" ...; NULL for SDP_PROTO_OTHER.
const char *sdp_proto_name(enum sdp_proto proto);
// The protocol of a name, in any case; SDP_PROTO_OTHER if it is none of RTP's.
enum sdp_proto sdp_proto_by_name(const char *name, size_t len);
// Two things each name says: with SRTP (SDES or DTLS), and with feedback (RFC 4585).
bool sdp_proto_secure(enum sdp_proto proto);
bool sdp_proto_feedback(enum sdp_proto proto);
const char *sdp_direction_name(enum sdp_direction d);

// ---- writing ----

enum sdp_choice { SDP_KEEP, SDP_ON, SDP_OFF };

struct sdp_section_change {
	bool pass;     // as it is: none of the rest is looked at
	bool reject;   // port 0; the rest as it is, but for proto, and keys and ICE go
	uint16_t port; // RTP; 0: the one it has (a rejected section keeps its 0)
	uint16_t
		rtcp_port; // written as a=rtcp; 0: none, and the one there is goes, unless port and
			   // address are kept too
	struct ip_addr address; // for c=; family 0: kept, also if the session's c= is changed
	enum sdp_choice rtcp_mux;
	enum sdp_proto proto; // SDP_PROTO_OTHER: kept; only RTP becomes RTP of another kind
	bool cut_crypto, cut_dtls, cut_ice;
	unsigned n_crypto;
	const struct sdp_crypto *crypto; // ours, appended; usable is not looked at
	bool set_direction;
	enum sdp_direction direction;
	uint64_t strip[2];       // payload types that go, from m= and with all their attributes
	uint16_t ptime;          // 0: kept
	const char *mid, *label; // added, or in place of the ones there are; NULL: kept
	const char *const
		*extra; // further lines without ending ("a=..."), NULL-terminated, or NULL
};

struct sdp_change {
	struct ip_addr origin;  // in place of o='s address; family 0: kept
	const char *username;   // of o=, likewise; NULL: kept
	const char *session_id; // of o=
	const char *version;    // of o=
	const char *name;       // of s=
	struct ip_addr
		connection; // in place of the session's c= address, if it has one; family 0: kept
	bool cut_group;     // a=group:BUNDLE goes, and a=bundle-only of its sections
	bool cut_ice, cut_dtls; // the session's own lines
	struct sdp_section_change section[SDP_SECTIONS_MAX];
};

// Writes the changed text to out. Returns its length (no NUL is written), -ENOSPC if it is longer than
// size, -EINVAL if a section that has a port would be left without any payload type or with other formats, or if a text of
// the change has a line break in it. A change of zeros writes the text as it is. A passed section that has its
// address from the session gets a c= of its own if the session's changes.
int sdp_rewrite(const struct sdp *sdp, const struct sdp_change *change, char *out, size_t size,
		struct err *err);

#define SDP_CRYPTO_LINE_MAX 256
// "a=crypto:TAG SUITE inline:KEY..." without line ending; returns its length, or -EINVAL for a suite
// that is none. Keys are in it: wipe the buffer.
int sdp_crypto_write(const struct sdp_crypto *c, char out[static SDP_CRYPTO_LINE_MAX]);
// The value of an a=crypto line ("1 AES_CM_128_HMAC_SHA1_80 inline:..."). 0, or -EINVAL if it is
// malformed; what is well-formed but not ours comes with usable false.
int sdp_crypto_parse(const char *text, size_t len, struct sdp_crypto *out);
