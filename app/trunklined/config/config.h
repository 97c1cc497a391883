// SPDX-License-Identifier: BSD-3-Clause
// The configuration as the rest of the daemon sees it: read, checked whole, and immutable.
// docs/configuration.md is the reference for operators.
#pragma once

#include "base/net.h"
#include "crypto/suite.h"
#include "esp/sa.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

// What the tables of the data path hold.
#define CONFIG_WORKERS_MAX 32
#define CONFIG_PORTS_MAX 32
#define CONFIG_MEDIA_MAX 16
#define CONFIG_ADDRESSES_MAX 192 // of ports and media together
#define CONFIG_CUSTOMERS_MAX 8191

// Characters of ring:NAME that DPDK has room for.
#define RING_NAME_MAX 7

enum config_idle { IDLE_POLL, IDLE_SLEEP };
enum config_hugepages { HUGE_AUTO, HUGE_ON, HUGE_OFF };

struct config_port {
	char *name;   // also the TAP's name: 1..15 of [a-z0-9-]
	char *device; // "0000:3b:00.0", "af_xdp:IFACE", "af_packet:IFACE", "tap:NAME", "ring:NAME",
		      // "pcap:RX[,TX]", or "vdev:net_...,args"
	bool inside;  // side: inside|outside; default: by the name
	uint16_t vlan;   // 0: untagged
	uint16_t mtu;    // bytes of IP, 576..9000, default 1500
	uint16_t queues; // rx and tx queues at most; 0: one a worker where the device has them
	unsigned n_addresses;
	struct ip_prefix *addresses; // interface addresses: host address with prefix length
	int line;
};

struct config_media {
	struct ip_addr address;
	uint16_t port_lo, port_hi; // inclusive
	unsigned port;             // index into ports: where the address lives ("on")
	int line;
};

struct config_sa { // a pair of static-key SAs
	enum suite_id suite;
	uint32_t spi_in, spi_out;
	uint8_t material_in[96], material_out[96]; // wiped by config_free
	struct ip_endpoint local, peer;            // ports 4500 by default with encap
	bool encap, esn, ecn, dscp;
	enum { DF_CLEAR, DF_SET, DF_COPY } df;
	uint16_t window;
	uint16_t tfc_pad;
	unsigned n_local, n_remote; // selectors: every local x every remote
	struct ip_prefix *local_nets, *remote_nets;
	uint8_t proto;
	uint16_t port_lo, port_hi; // of the remote side, with proto
	int line;
};

struct config_allow {
	struct ip_prefix net;
	uint8_t proto; // 0: any
	uint16_t port_lo, port_hi;
};

struct config_ike {       // a tunnel that the customer's gateway negotiates
	unsigned version; // 1, 2, or 0: any
	uint8_t *psk;     // wiped by config_free
	size_t psk_len;
	char *psk_file;
	struct ip_addr local;
	char *local_id, *remote_id; // never NULL
	bool initiate, mobike, encap;
	unsigned n_proposals, n_esp;
	char **proposals, **esp;
	uint32_t rekey, child_rekey;     // s, 0: never
	uint32_t dpd_delay, dpd_timeout; // s, 0: never, as charon's retransmissions
	uint16_t window;
	unsigned n_local, n_remote;
	struct ip_prefix *local_nets, *remote_nets;
	int line;
};

struct config_customer {
	char *name; // [a-z0-9-]{1,63}
	char *file;
	uint64_t rate;          // bit/s; 0: no limit ("none")
	uint32_t burst_ms;      // default 20
	int worker;             // index, -1: any
	struct ip_addr gateway; // family 0: unknown
	unsigned n_domain;
	struct ip_prefix *domain; // encryption domain: routed into the tunnel
	unsigned n_allow;
	struct config_allow *allow;
	unsigned n_sas;
	struct config_sa *sas;
	struct config_ike *ike; // NULL: no IKE
	int line;
};

struct config_leg {
	struct ip_addr media;      // one of the media addresses
	uint16_t port;             // local RTP port, even; 0: any free
	struct ip_endpoint remote; // family 0: learn
	bool latch;                // learn from the first packet even if remote is given
	bool mux;                  // RTCP on the RTP port
	int dscp;                  // -1: keep
	int customer;              // index, -1: none
};

struct config_call {
	char *id;                 // [A-Za-z0-9._-]{1,63}
	uint32_t clock_rate;      // Hz of the RTP time stamps, default 8000
	uint32_t timeout;         // seconds without packets, 0: never; default 60
	struct config_leg leg[2]; // a, b
	int line;
};

struct config {
	char *pop;
	unsigned n_workers;
	unsigned *workers; // CPU of each
	int control_cpu;   // -1: any
	enum config_idle
		idle; // default: poll if no worker takes a CPU from others (configuration.md)
	enum config_hugepages hugepages;
	unsigned memory_mb; // default 768
	unsigned mbufs;     // default 65536
	unsigned max_calls, max_sas, max_customers;
	uint32_t port_quarantine; // s that an ended call's ports rest, default 10
	struct {                  // s, 0: never; of calls by signalling
		uint32_t silence, held, offer, final;
	} timeouts;
	char *run_dir;    // default /run/trunkline
	char *api_socket; // default RUN_DIR/api.sock
	char *api_group;  // owner group of the socket, or NULL
	enum { LOGL_ERROR = 3, LOGL_WARN, LOGL_NOTICE, LOGL_INFO, LOGL_DEBUG } log_level;
	uint32_t punt_rate;        // packets/s to the kernel a port
	uint32_t punt_source_rate; // packets/s to the kernel a source outside
	char *recordings;          // directory, or NULL
	// of call records: database, directory, file of calls in progress; NULL: none
	char *records_sqlite, *records_json, *records_live;
	char *ike_feed, *ike_vici; // sockets; NULL: no IKE
	unsigned n_ng, n_ng_allow;
	struct ip_endpoint *ng;     // where the NG protocol is spoken, UDP and TCP
	struct ip_prefix *ng_allow; // who may; changes on a reload
	unsigned n_ports, n_media, n_customers, n_calls;
	struct config_port *ports;
	struct config_media *media;
	struct config_customer *customers;
	struct config_call *calls;
};

// Reads and checks a configuration and its customer files. Every mistake is one line on report:
// "FILE:LINE: KEY: what is wrong; what would be right". Returns the number of mistakes (0: *out is
// set), or a negative errno if the main file can't be read at all (reported as well).
int config_load(const char *path, struct config **out, FILE *report);
// Wipes keys and frees. NULL is fine.
void config_free(struct config *c);

// Whether a reload has anything to do; key material is compared in constant time. Lines and file
// names do not count. config_customer_equal() compares everything but the SAs.
bool config_sa_equal(const struct config_sa *a, const struct config_sa *b);
bool config_domain_equal(const struct config_customer *a, const struct config_customer *b);
bool config_customer_equal(const struct config_customer *a, const struct config_customer *b);
// Either may be NULL.
bool config_ike_equal(const struct config_ike *a, const struct config_ike *b);
// Customers of legs are indexes, so each call comes with the configuration that it is from.
bool config_call_equal(const struct config *ca, const struct config_call *a,
		       const struct config *cb, const struct config_call *b);
// Whether a network lies in a customer's domain. True as well if that is not known for sure.
bool config_in_domain(const struct config_customer *c, const struct ip_prefix *p);

// The first setting that differs and cannot change without a restart ("ports[1].mtu"), or NULL.
const char *config_static_change(const struct config *old, const struct config *new);

// Writes the reference of all keys as Markdown: the generated part of docs/configuration.md.
void config_reference(FILE *out);
