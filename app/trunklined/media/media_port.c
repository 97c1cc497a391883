// SPDX-License-Identifier: BSD-3-Clause
// Media ports: given out, kept over a change, and put to rest.
#include "media_priv.h"

#include <errno.h>

unsigned media_ports_free(const struct control *ctl, unsigned address)
{
	return address < ctl->config->n_media ? ctl->media->ports[address].n : 0;
}

static int port_take(struct control *ctl, const struct media_side_spec *s, unsigned side, bool any,
		     struct err *err)
{
	uint16_t want = any ? 0 : s->port;
	int port = port_pool_take(&ctl->media->ports[s->address], want);
	char text[IP_ADDR_STRLEN];

	if (port == -ENOSPC)
		return err_set(err, port, "Ran out of ports"); // proxies know these words
	if (port < 0)
		return err_set(err, port, "side %c: port %u of %s is taken or out of range",
			       'a' + (int)side, want,
			       ip_addr_str(&ctl->config->media[s->address].address, text));
	return port;
}

void media_port_untake(struct control *ctl, unsigned address, uint16_t port)
{
	media_port_quiet_end(ctl, address, port);
	port_pool_give(&ctl->media->ports[address], port);
}

void media_port_end(struct control *ctl, unsigned address, uint16_t port)
{
	uint64_t until = media_ms(ctl, rte_rdtsc()) + ctl->config->port_quarantine * 1000ULL;

	media_port_withdraw(ctl, address, port);
	if (ctl->config->port_quarantine == 0)
		media_port_untake(ctl, address, port);
	else
		port_pool_give_later(&ctl->media->ports[address], port, (uint32_t)until);
}

bool media_port_stays(const struct media *m, const struct media_spec *spec, unsigned side)
{
	const struct media_side_spec *s = &spec->side[side];

	return s->address == m->spec.side[side].address &&
	       (s->port == 0 || s->port == media_port(m, side));
}

int media_ports_take(const struct media *m, const struct media_spec *spec, bool fresh,
		     uint16_t port[2], struct err *err)
{
	for (unsigned i = 0; i < 2; i++) {
		port[i] = 0;
		if (!fresh && media_port_stays(m, spec, i)) {
			port[i] = media_port(m, i);
			continue;
		}
		uint16_t want = spec->side[i].port;
		bool any = want == MEDIA_PORT_NEW || (!fresh && want == media_port(m, i));
		int rc = port_take(m->ctl, &spec->side[i], i, any, err);
		if (rc < 0) {
			if (i == 1 && (fresh || !media_port_stays(m, spec, 0)))
				media_port_untake(m->ctl, spec->side[0].address, port[0]);
			return rc;
		}
		port[i] = (uint16_t)rc;
	}
	return 0;
}
