// SPDX-License-Identifier: BSD-3-Clause
#include "wire_flows.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int flow_read(struct wire_flow *f, const json_t *j)
{
	const char *src, *dst, *want;
	int sport, dport, want_dport;

	if (json_unpack((json_t *)(uintptr_t)j, "[s,i,s,i,s,i]", &src, &sport, &dst, &dport, &want,
			&want_dport) != 0 ||
	    inet_pton(AF_INET, src, &f->src) != 1 || inet_pton(AF_INET, dst, &f->dst) != 1 ||
	    inet_pton(AF_INET, want, &f->want_dst) != 1)
		return -EINVAL;
	f->sport = htons((uint16_t)sport);
	f->dport = htons((uint16_t)dport);
	f->want_dport = htons((uint16_t)want_dport);
	return 0;
}

int wire_flows_read(struct wire_flows *f, struct options *opt, const char *path, struct err *err)
{
	json_error_t e;
	json_t *all = json_load_file(path, 0, &e), *flows, *j;
	const char *port[2], *mac[2];
	int len, rc = -EINVAL;
	size_t i;

	if (all == NULL)
		return err_set(err, -EINVAL, "%s:%d: %s", path, e.line, e.text);
	if (json_unpack(all, "{s:[s,s], s:[s,s], s:i, s:o}", "ports", &port[0], &port[1], "macs",
			&mac[0], &mac[1], "inner_len", &len, "flows", &flows) != 0 ||
	    !json_is_array(flows) || json_array_size(flows) == 0 || len < 80 || len > 1400) {
		err_set(err, rc, "%s: ports, macs, inner_len (80 to 1400) and flows are wanted",
			path);
		goto out;
	}
	for (i = 0; i < 2; i++) {
		snprintf(opt->vdev[i], sizeof(opt->vdev[i]), "%s", port[i]);
		if (rte_ether_unformat_addr(mac[i], &f->mac[i]) != 0) {
			err_set(err, rc, "%s: %s is no MAC", path, mac[i]);
			goto out;
		}
	}
	f->inner_len = (uint32_t)len;
	f->n = (uint32_t)json_array_size(flows);
	f->flow = calloc(f->n, sizeof(*f->flow));
	if (f->flow == NULL) {
		rc = err_set(err, -ENOMEM, "no memory");
		goto out;
	}
	json_array_foreach (flows, i, j) {
		if (flow_read(&f->flow[i], j) != 0) {
			err_set(err, rc, "%s: flow %zu is no [ip, port, ip, port, ip, port]", path,
				i);
			goto out;
		}
	}
	rc = 0;
out:
	json_decref(all);
	return rc;
}
