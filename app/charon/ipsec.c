// SPDX-License-Identifier: GPL-2.0-or-later
// From charon's words to the feed's. What charon is told is what the gateway has said, but for changes that
// take away or correct: while the gateway is away those count as done, and it hears of them later.
#include "ipsec.h"

#include "convert.h"
#include "events.h"
#include "link.h"

#include <daemon.h>
#include <errno.h>
#include <string.h>

static struct link *gateway;

struct link *trunkline_link(void)
{
	return gateway;
}

static status_t status_of(int rc)
{
	return rc == 0         ? SUCCESS
	       : rc == -ENOENT ? NOT_FOUND
	       : rc == -EEXIST ? ALREADY_DONE
			       : FAILED;
}

static kernel_feature_t get_features(kernel_ipsec_t *this)
{
	kernel_feature_t f = KERNEL_ESP_V3_TFC | KERNEL_POLICY_SPI | KERNEL_NO_POLICY_UPDATES;

	(void)this;
#if STRONGSWAN_VERSION >= 50910
	f |= KERNEL_SA_USE_TIME;
#endif
	return f;
}

static status_t get_spi(kernel_ipsec_t *this, host_t *src, host_t *dst, uint8_t protocol,
			uint32_t *spi)
{
	struct feed_msg m = {.type = FEED_SPI_GET};
	struct err err = {""};

	(void)this;
	m.sa_id.proto = protocol;
	if (protocol != IPPROTO_ESP || addr_of(src, &m.sa_id.src) < 0 ||
	    addr_of(dst, &m.sa_id.dst) < 0) {
		DBG1(DBG_KNL, "trunkline: only ESP over IPv4 or IPv6, not protocol %u", protocol);
		return NOT_SUPPORTED;
	}
	int rc = link_call(gateway, &m, LINK_WAIT, &err);
	if (rc < 0) {
		DBG1(DBG_KNL, "trunkline: no SPI for %H: %s", src, err.text);
		return FAILED;
	}
	*spi = htonl(m.sa_id.spi);
	return SUCCESS;
}

static status_t get_cpi(kernel_ipsec_t *this, host_t *src, host_t *dst, uint16_t *cpi)
{
	(void)this;
	(void)src;
	(void)dst;
	(void)cpi;
	return NOT_SUPPORTED; // no IPComp: voice doesn't get smaller
}

static status_t add_sa(kernel_ipsec_t *this, kernel_ipsec_sa_id_t *id, kernel_ipsec_add_sa_t *data)
{
	struct feed_msg m = {.type = FEED_SA_ADD};
	struct err err = {""};

	(void)this;
	int rc = sa_of(id, data, &m.sa, &err);
	status_t status = rc == -ENOTSUP ? NOT_SUPPORTED : FAILED;
	if (rc == 0) {
		rc = link_call(gateway, &m, LINK_WAIT, &err);
		status = status_of(rc);
	}
	feed_wipe(&m);
	if (rc < 0)
		DBG1(DBG_KNL, "trunkline: SA with SPI 0x%08x to %H is not installed: %s",
		     ntohl(id->spi), id->dst, err.text);
	return status;
}

static status_t update_sa(kernel_ipsec_t *this, kernel_ipsec_sa_id_t *id,
			  kernel_ipsec_update_sa_t *data)
{
	struct feed_msg m = {.type = FEED_SA_UPDATE};
	struct err err = {""};

	(void)this;
	if (data->cpi != 0 || id_of(id, &m.update.id) < 0 ||
	    endpoint_of(data->new_src, &m.update.src) < 0 ||
	    endpoint_of(data->new_dst, &m.update.dst) < 0)
		return NOT_SUPPORTED;
	m.update.encap = data->new_encap;
	int rc = link_call(gateway, &m, LINK_KEEP, &err);
	if (rc < 0)
		DBG1(DBG_KNL, "trunkline: SA with SPI 0x%08x is not moved: %s", ntohl(id->spi),
		     err.text);
	// The only status that charon heeds: the SA keeps its addresses, and its name, and is rekeyed.
	return rc < 0 ? NOT_SUPPORTED : SUCCESS;
}

// From "seconds ago and one" to the monotonic clock that charon compares with.
static time_t last_use(const struct feed_usage *u)
{
	time_t now = time_monotonic(NULL);

	if (u->last_use == 0 || u->last_use > (uint64_t)now)
		return 0;
	return now - (time_t)(u->last_use - 1);
}

static status_t query_sa(kernel_ipsec_t *this, kernel_ipsec_sa_id_t *id,
			 kernel_ipsec_query_sa_t *data, uint64_t *bytes, uint64_t *packets,
			 time_t *use)
{
	struct feed_msg m = {.type = FEED_SA_QUERY};
	struct err err = {""};

	(void)this;
	(void)data;
	if (id_of(id, &m.sa_id) < 0)
		return NOT_SUPPORTED;
	int rc = link_call(gateway, &m, LINK_NOW, &err);
	if (rc < 0) {
		DBG2(DBG_KNL, "trunkline: no figures for SPI 0x%08x: %s", ntohl(id->spi), err.text);
		return status_of(rc);
	}
	if (bytes != NULL)
		*bytes = m.usage.bytes;
	if (packets != NULL)
		*packets = m.usage.packets;
	if (use != NULL)
		*use = last_use(&m.usage);
	return SUCCESS;
}

static status_t del_sa(kernel_ipsec_t *this, kernel_ipsec_sa_id_t *id, kernel_ipsec_del_sa_t *data)
{
	struct feed_msg m = {.type = FEED_SA_DEL};
	struct err err = {""};

	(void)this;
	(void)data;
	if (id_of(id, &m.sa_id) < 0)
		return NOT_SUPPORTED;
	int rc = link_call(gateway, &m, LINK_KEEP, &err);
	if (rc < 0 && rc != -ENOENT) // it may be over already: charon hears of that later
		DBG1(DBG_KNL, "trunkline: SA with SPI 0x%08x is not deleted: %s", ntohl(id->spi),
		     err.text);
	return status_of(rc);
}

static status_t flush(uint16_t type)
{
	struct feed_msg m = {.type = type};
	struct err err = {""};
	int rc = link_call(gateway, &m, LINK_KEEP, &err);

	if (rc < 0)
		DBG1(DBG_KNL, "trunkline: not flushed: %s", err.text);
	return status_of(rc);
}

static status_t flush_sas(kernel_ipsec_t *this)
{
	(void)this;
	return flush(FEED_SA_FLUSH);
}

static status_t flush_policies(kernel_ipsec_t *this)
{
	(void)this;
	return flush(FEED_POLICY_FLUSH);
}

static status_t policy_call(uint16_t type, kernel_ipsec_policy_id_t *id,
			    kernel_ipsec_manage_policy_t *data)
{
	struct feed_msg m = {.type = type};
	struct err err = {""};
	int rc = policy_of(id, data, &m.policy, &err);

	if (rc == 0)
		rc = link_call(gateway, &m, LINK_KEEP, &err);
	if (rc < 0 && !(rc == -ENOENT && type == FEED_POLICY_DEL))
		DBG1(DBG_KNL, "trunkline: policy %R === %R %N is not %s: %s", id->src_ts,
		     id->dst_ts, policy_dir_names, id->dir,
		     type == FEED_POLICY_ADD ? "installed" : "deleted", err.text);
	return rc == -ENOTSUP ? NOT_SUPPORTED : status_of(rc);
}

static status_t add_policy(kernel_ipsec_t *this, kernel_ipsec_policy_id_t *id,
			   kernel_ipsec_manage_policy_t *data)
{
	(void)this;
	return policy_call(FEED_POLICY_ADD, id, data);
}

static status_t del_policy(kernel_ipsec_t *this, kernel_ipsec_policy_id_t *id,
			   kernel_ipsec_manage_policy_t *data)
{
	(void)this;
	return policy_call(FEED_POLICY_DEL, id, data);
}

static status_t query_policy(kernel_ipsec_t *this, kernel_ipsec_policy_id_t *id,
			     kernel_ipsec_query_policy_t *data, time_t *use)
{
	struct feed_msg m = {.type = FEED_POLICY_QUERY};
	struct err err = {""};

	(void)this;
	(void)data;
	int rc = selectors_of(id, &m.policy, &err);
	if (rc == 0)
		rc = link_policy_find(gateway,
				      &m.policy); // charon doesn't say which SAs it belongs to
	if (rc == 0)
		rc = link_call(gateway, &m, LINK_NOW, &err);
	if (rc == 0)
		*use = last_use(&m.usage);
	return status_of(rc);
}

// IKE has its own way to the kernel's sockets, and ESP never gets there.
static bool bypass_socket(kernel_ipsec_t *this, int fd, int family)
{
	(void)this;
	(void)fd;
	(void)family;
	return true;
}

static bool enable_udp_decap(kernel_ipsec_t *this, int fd, int family, uint16_t port)
{
	(void)this;
	(void)fd;
	(void)family;
	(void)port;
	return true;
}

static void destroy(kernel_ipsec_t *this)
{
	(void)this;
	link_destroy(gateway);
	gateway = NULL;
}

static kernel_ipsec_t ipsec = {
	.get_features = get_features,
	.get_spi = get_spi,
	.get_cpi = get_cpi,
	.add_sa = add_sa,
	.update_sa = update_sa,
	.query_sa = query_sa,
	.del_sa = del_sa,
	.flush_sas = flush_sas,
	.add_policy = add_policy,
	.query_policy = query_policy,
	.del_policy = del_policy,
	.flush_policies = flush_policies,
	.bypass_socket = bypass_socket,
	.enable_udp_decap = enable_udp_decap,
	.destroy = destroy,
};

kernel_ipsec_t *trunkline_ipsec_create(void)
{
	const char *path = lib->settings->get_str(lib->settings, "%s.plugins.trunkline.socket",
						  FEED_SOCKET, lib->ns);

	gateway = link_create(path, event_queue);
	return gateway != NULL ? &ipsec : NULL;
}
