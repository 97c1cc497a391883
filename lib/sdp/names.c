// SPDX-License-Identifier: BSD-3-Clause
#include "scan.h"

#include <strings.h>

static const struct {
	const char *name;
	bool secure, feedback;
} protos[SDP_PROTO_COUNT] = {
	[SDP_RTP_AVP] = {"RTP/AVP", false, false},
	[SDP_RTP_AVPF] = {"RTP/AVPF", false, true},
	[SDP_RTP_SAVP] = {"RTP/SAVP", true, false},
	[SDP_RTP_SAVPF] = {"RTP/SAVPF", true, true},
	[SDP_DTLS_SAVP] = {"UDP/TLS/RTP/SAVP", true, false},
	[SDP_DTLS_SAVPF] = {"UDP/TLS/RTP/SAVPF", true, true},
};

const struct sdp_static sdp_statics[35] = {
	[0] = {"PCMU", 8000, 1},   [3] = {"GSM", 8000, 1},    [4] = {"G723", 8000, 1},
	[5] = {"DVI4", 8000, 1},   [6] = {"DVI4", 16000, 1},  [7] = {"LPC", 8000, 1},
	[8] = {"PCMA", 8000, 1},   [9] = {"G722", 8000, 1},   [10] = {"L16", 44100, 2},
	[11] = {"L16", 44100, 1},  [12] = {"QCELP", 8000, 1}, [13] = {"CN", 8000, 1},
	[14] = {"MPA", 90000, 0},  [15] = {"G728", 8000, 1},  [16] = {"DVI4", 11025, 1},
	[17] = {"DVI4", 22050, 1}, [18] = {"G729", 8000, 1},  [25] = {"CelB", 90000, 0},
	[26] = {"JPEG", 90000, 0}, [28] = {"nv", 90000, 0},   [31] = {"H261", 90000, 0},
	[32] = {"MPV", 90000, 0},  [33] = {"MP2T", 90000, 0}, [34] = {"H263", 90000, 0},
};

bool sdp_span_is(struct sdp_span s, const char *text)
{
	return strlen(text) == s.len && strncasecmp(s.at, text, s.len) == 0;
}

const char *sdp_proto_name(enum sdp_proto proto)
{
	return proto < SDP_PROTO_COUNT ? protos[proto].name : NULL;
}

enum sdp_proto sdp_proto_by_name(const char *name, size_t len)
{
	for (unsigned i = SDP_PROTO_OTHER + 1; i < SDP_PROTO_COUNT; i++)
		if (strlen(protos[i].name) == len && strncasecmp(protos[i].name, name, len) == 0)
			return (enum sdp_proto)i;
	return SDP_PROTO_OTHER;
}

bool sdp_proto_secure(enum sdp_proto proto)
{
	return proto < SDP_PROTO_COUNT && protos[proto].secure;
}

bool sdp_proto_feedback(enum sdp_proto proto)
{
	return proto < SDP_PROTO_COUNT && protos[proto].feedback;
}

const char *sdp_direction_name(enum sdp_direction d)
{
	static const char *const names[] = {
		[SDP_SENDRECV] = "sendrecv",
		[SDP_SENDONLY] = "sendonly",
		[SDP_RECVONLY] = "recvonly",
		[SDP_INACTIVE] = "inactive",
	};
	return names[d];
}

const char *sdp_quote(struct sdp_span s, char buf[static SDP_QUOTE_MAX])
{
	size_t n = s.len < SDP_QUOTE_MAX - 4 ? s.len : SDP_QUOTE_MAX - 4;

	for (size_t i = 0; i < n; i++)
		buf[i] = s.at[i] >= ' ' && s.at[i] <= '~' ? s.at[i] : '?';
	memcpy(buf + n, "...", 4);
	if (n == s.len)
		buf[n] = '\0';
	return buf;
}
