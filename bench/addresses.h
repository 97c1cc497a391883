// SPDX-License-Identifier: BSD-3-Clause
// Who has which address in the bench's world. Addresses in network order, ports in host order.
#pragma once

#include <rte_byteorder.h>
#include <stdint.h>

#define IP4(a, b, c, d) \
	RTE_BE32((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))

#define NH_OUTSIDE 1
#define NH_INSIDE 2
#define NH_TUNNELS 16 // plus the customer's number

#define MEDIA_PER_SIDE 4
#define MEDIA_CALLS 30000 // calls a media address
#define MEDIA_PORT_LO 2048
#define CALLS_MAX (MEDIA_PER_SIDE * MEDIA_CALLS)

#define OUTSIDE_IP RTE_BE32(0xc6120a01) // 198.18.10.1
#define INSIDE_IP RTE_BE32(0xc6121401)  // 198.18.20.1
#define PLATFORM_NET 0xc6121400u        // 198.18.20.0/24, host order
#define GATEWAY_NET 0x64400000u         // 100.64.0.0/10
#define PHONE_NET 0x2c000000u           // 44.0.0.0/8: a /24 a customer
#define STRANGER_NET 0xc6330000u        // 198.51.0.0/16: phones without a tunnel

#define SPI_IN(customer) (0xc1000000u | (customer))
#define SPI_OUT(customer) (0xd1000000u | (customer))
#define SPI_CUSTOMER(spi) ((spi)&0xffff)

static inline uint32_t gateway_ip(uint32_t customer)
{
	return rte_cpu_to_be_32(GATEWAY_NET | customer);
}

// Media address of a call's leg: side 0 is the customer's, 1 the platform's.
static inline unsigned media_of(uint32_t call, unsigned side)
{
	return side * MEDIA_PER_SIDE + call / MEDIA_CALLS;
}

static inline uint32_t media_ip(unsigned media)
{
	return rte_cpu_to_be_32((media < MEDIA_PER_SIDE ? 0xc6121e01u : 0xc6122801u) +
				media % MEDIA_PER_SIDE);
}

static inline uint16_t call_port(uint32_t call)
{
	return (uint16_t)(MEDIA_PORT_LO + 2 * (call % MEDIA_CALLS));
}

// The nth phone of a customer.
static inline uint32_t phone_ip(uint32_t customer, uint32_t nth)
{
	return rte_cpu_to_be_32(PHONE_NET | customer << 8 | (1 + nth % 250));
}

static inline uint16_t phone_port(uint32_t nth)
{
	return (uint16_t)(16384 + 2 * (nth / 250));
}

static inline uint32_t platform_ip(uint32_t call)
{
	return rte_cpu_to_be_32(PLATFORM_NET + 16 + call % 16);
}

static inline uint16_t platform_port(uint32_t call)
{
	return (uint16_t)(10000 + 2 * (call / 16));
}

static inline uint32_t stranger_ip(uint32_t call)
{
	return rte_cpu_to_be_32(STRANGER_NET + (call & 0xffff));
}
