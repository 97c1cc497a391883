// SPDX-License-Identifier: BSD-3-Clause
// Legs as a spec wants them, and their ports in the workers' tables.
#include "media_priv.h"
#include "recorder.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

// An address of one host: no multicast, no broadcast, not this machine's own 127.0.0.0/8. 0.0.0.0 is nobody's
// yet.
static bool is_host(const struct in_addr *a)
{
	uint32_t ip = ntohl(a->s_addr);

	return ip == 0 || (ip >> 24 != 0 && ip >> 24 != 127 && ip >> 29 != 7);
}

static int endpoint_check(const struct ip_endpoint *e, unsigned side, const char *what,
			  struct err *err)
{
	char text[IP_ADDR_STRLEN];

	if (e->addr.family == 0)
		return 0;
	if (e->addr.family != AF_INET)
		return err_set(err, -EAFNOSUPPORT, "side %c: %s is IPv4 for now", 'a' + (int)side,
			       what);
	if (!is_host(&e->addr.v4))
		return err_set(err, -EINVAL, "side %c: %s is %s, which is no host's address",
			       'a' + (int)side, what, ip_addr_str(&e->addr, text));
	if (e->port == 0)
		return err_set(err, -EINVAL, "side %c: %s needs a port", 'a' + (int)side, what);
	return 0;
}

static int side_check(const struct control *ctl, const struct media_side_spec *s, unsigned side,
		      struct err *err)
{
	int name = 'a' + (int)side, rc;

	if (s->address >= ctl->config->n_media)
		return err_set(err, -EINVAL, "side %c: there is no media address %u", name,
			       s->address);
	if (s->port % 2 != 0 && s->port != MEDIA_PORT_NEW)
		return err_set(err, -EINVAL, "side %c: port %u is odd; an RTP port is even", name,
			       s->port);
	if (s->customer >= CUSTOMERS_MAX ||
	    (s->customer != 0 && ctl->plane->customer[s->customer] == NULL))
		return err_set(err, -ENOENT, "side %c: no such customer", name);
	if (s->dscp < -1 || s->dscp > 63)
		return err_set(err, -EINVAL, "side %c: DSCP %d; it is 0 to 63", name, s->dscp);
	if (s->dtmf_type > 127)
		return err_set(err, -EINVAL, "side %c: payload type %u; it is 0 to 127", name,
			       s->dtmf_type);
	rc = endpoint_check(&s->rtp, side, "remote", err);
	return rc < 0 ? rc : endpoint_check(&s->rtcp, side, "RTCP's remote", err);
}

int media_spec_check(const struct control *ctl, const struct media_spec *spec, struct err *err)
{
	int rc = side_check(ctl, &spec->side[0], 0, err);

	return rc < 0 ? rc : side_check(ctl, &spec->side[1], 1, err);
}

// A leg without a customer stays with its worker, which has its SRTP keys' state.
uint16_t media_owner(const struct control *ctl, const struct media_side_spec *s, uint16_t port,
		     const struct leg *old)
{
	if (s->customer != 0)
		return ctl->plane->customer[s->customer]->owner;
	if (old != NULL && old->customer == 0)
		return old->owner;
	return (uint16_t)((port / 2) % ctl->plane->n_workers);
}

static struct latch_peer peer_of(const struct ip_endpoint *e)
{
	if (e->addr.family == 0)
		return (struct latch_peer){0};
	return (struct latch_peer){e->addr.v4.s_addr, htons(e->port)};
}

// What of this side's audio goes on: only what it may send and the other wants to hear.
static uint8_t gate_of(const struct media_side_spec *s, const struct media_side_spec *far)
{
	uint8_t gate = 0;

	if (!s->recv || !far->send)
		gate |= LEG_GATE_HELD;
	if (s->blocked)
		gate |= LEG_GATE_BLOCKED;
	if (s->silenced)
		gate |= LEG_GATE_SILENCED;
	if (s->dtmf_blocked && s->dtmf_type != 0)
		gate |= LEG_GATE_DTMF;
	return gate;
}

static void leg_fill(const struct control *ctl, const struct media_side_spec *s, uint16_t port,
		     const struct leg *old, struct leg *leg)
{
	const struct plane *p = ctl->plane;

	memset(leg, 0, sizeof(*leg));
	leg->owner = media_owner(ctl, s, port, old);
	leg->local_port = htons(port);
	leg->local_rtcp = htons(s->rtcp_mux ? port : (uint16_t)(port + 1));
	leg->flags = s->rtcp_mux ? LEG_RTCP_MUX : 0;
	leg->dtmf_type = s->dtmf_type;
	leg_identity_set(leg, s->customer, ctl->config->media[s->address].address.v4.s_addr,
			 s->dscp);
	leg_latch_set(leg, &s->latch, peer_of(&s->rtp), peer_of(&s->rtcp), p->tsc_hz);
	leg->last_tick = (uint32_t)(rte_rdtsc() >> TICK_SHIFT);
	leg->rx.clock_mult = rtp_clock_mult(s->clock_rate, p->tsc_hz);
	if (old != NULL)
		leg_carry(leg, old, old->customer == s->customer);
}

void media_legs_fill(const struct media *m, const struct media_spec *spec, const uint16_t port[2],
		     const struct leg_srtp keys[2], const struct leg_pair *old,
		     struct leg_pair *pair)
{
	for (unsigned i = 0; i < 2; i++) {
		struct leg *leg = &pair->leg[i];
		leg_fill(m->ctl, &spec->side[i], port[i], old != NULL ? &old->leg[i] : NULL, leg);
		leg->gate = gate_of(&spec->side[i], &spec->side[!i]);
		leg->srtp_in = keys[i].in;
		leg->srtp_out = keys[i].out;
		if (spec->recording != NULL) {
			leg->flags |= LEG_RECORD;
			leg->record = recording_number(spec->recording);
		}
	}
	for (unsigned i = 0; i < 2; i++)
		pair->leg[i].onward = leg_onward(&pair->leg[i], &pair->leg[!i]);
}

static void ended_set(struct media_addr *ma, uint16_t port, bool ended)
{
	// Both ports of a pair are in the same byte.
	uint8_t bits = (uint8_t)(3u << port % 8), was = ma->ended[port / 8];

	__atomic_store_n(&ma->ended[port / 8], (uint8_t)(ended ? was | bits : was & ~bits),
			 __ATOMIC_RELAXED);
}

void media_leg_publish(struct control *ctl, struct leg *leg, unsigned address, bool second)
{
	struct media_addr *ma = ctl->plane->media[address];
	uint16_t port = ntohs(leg->local_port);
	ref_t ref = leg_port_ref(leg, second);

	__atomic_store_n(&ma->leg[port], ref, __ATOMIC_RELEASE);
	__atomic_store_n(&ma->leg[port + 1], leg->flags & LEG_RTCP_MUX ? 0 : ref, __ATOMIC_RELEASE);
	ended_set(ma, port, false);
}

void media_port_withdraw(struct control *ctl, unsigned address, uint16_t port)
{
	struct media_addr *ma = ctl->plane->media[address];

	ended_set(ma, port, true); // first, or a packet in between would be nobody's
	__atomic_store_n(&ma->leg[port], 0, __ATOMIC_RELEASE);
	__atomic_store_n(&ma->leg[port + 1], 0, __ATOMIC_RELEASE);
}

void media_port_quiet_end(struct control *ctl, unsigned address, uint16_t port)
{
	ended_set(ctl->plane->media[address], port, false);
}
