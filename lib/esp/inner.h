// SPDX-License-Identifier: BSD-3-Clause
// What decapsulation does with the plaintext: padding, inner header, ECN.
#pragma once

#include "esp.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define NEXT_IPV4 4
#define NEXT_DUMMY 59

// Whether the pad_len bytes that end at end are 1, 2, 3, ... (RFC 4303 section 2.4). Eight bytes
// in front of them are readable (the ESP header is there).
static inline bool pad_good(const uint8_t *end, unsigned pad_len)
{
	if (__builtin_expect(pad_len < 8, 1)) {
		uint64_t tail, want = 0x0706050403020100ULL >> 8; // 1, 2, ... from the lowest byte
		memcpy(&tail, end - 8, 8);
		// The top pad_len bytes count; shifted in two steps because 64 at once is
		// undefined.
		unsigned shift = 63 - 8 * pad_len;
		return ((tail ^ (want << 1 << shift)) >> 1 >> shift) == 0;
	}
	uint8_t diff = 0;
	for (unsigned i = 0; i < pad_len; i++)
		diff |= (uint8_t)(end[-(int)pad_len + (int)i] ^ (i + 1));
	return diff == 0;
}

// The inner ECN field after decapsulation (RFC 6040 figure 4) by outer << 2 | inner, or 4: drop.
// 0 Not-ECT, 1 ECT(1), 2 ECT(0), 3 CE.
static inline uint8_t ecn_combine(uint8_t outer, uint8_t inner)
{
	static const uint8_t table[16] = {
		0, 1, 2, 3, // outer Not-ECT
		0, 1, 1, 3, // ECT(1)
		0, 1, 2, 3, // ECT(0)
		4, 3, 3, 3, // CE
	};
	return table[(outer & 3) << 2 | (inner & 3)];
}

// Sets the ECN field of an IPv4 header, with its checksum (RFC 1624, equation 3).
static inline void ecn_set(uint8_t *ip, uint8_t ecn)
{
	uint8_t tos = (uint8_t)((ip[1] & 0xfc) | ecn);
	uint32_t sum = (uint16_t) ~(ip[10] << 8 | ip[11]);
	sum += (uint16_t)~ip[1] + (uint32_t)tos; // the word's other byte cancels out
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~((sum & 0xffff) + (sum >> 16));
	ip[1] = tos;
	ip[10] = (uint8_t)(sum >> 8);
	ip[11] = (uint8_t)sum;
}

// Takes the verified plaintext apart: payload bytes at data, trailer included. Sets op->inner and
// op->inner_len. Returns an esp_status.
static inline uint8_t inner_open(struct esp_in *op, uint8_t *data, uint32_t payload)
{
	uint16_t trailer, total;
	memcpy(&trailer, data + payload - 2, 2);
	unsigned pad_len = trailer & 0xff, next = trailer >> 8;
	if (pad_len + 2 > payload || !pad_good(data + payload - 2, pad_len))
		return ESP_BAD_PAD;
	payload -= pad_len + 2;
	if (next != NEXT_IPV4)
		return next == NEXT_DUMMY ? ESP_DUMMY : ESP_BAD_NEXT;
	memcpy(&total, data + 2, 2);
	total = __builtin_bswap16(total);
	unsigned ihl = (data[0] & 0xfu) * 4;
	// What follows the total length is TFC padding (RFC 4303 section 2.7).
	if ((data[0] >> 4 != 4) | (ihl < 20) | (total < ihl) | (total > payload))
		return ESP_BAD_INNER;
	op->inner = data;
	op->inner_len = total;
	uint8_t outer = op->outer_tos & 3;
	if (outer != 0) {
		uint8_t inner = data[1] & 3, ecn = ecn_combine(outer, inner);
		if (ecn > 3)
			return ESP_ECN;
		if (ecn != inner)
			ecn_set(data, ecn);
	}
	return ESP_OK;
}
