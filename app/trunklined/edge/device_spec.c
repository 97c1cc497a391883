// SPDX-License-Identifier: BSD-3-Clause
#include "device_priv.h"

#include <ctype.h>
#include <errno.h>
#include <rte_config.h>
#include <stdio.h>
#include <string.h>

#define FRAMES_DEFAULT 4096u // of 2048 bytes
#define FRAMES_MAX 1024u
#define PACKET_OVERHEAD 160u // link headers and the ring's own header before each frame

unsigned device_first_port(const struct config *cfg, unsigned port)
{
	unsigned i = 0;

	while (strcmp(cfg->ports[i].device, cfg->ports[port].device) != 0)
		i++;
	return i;
}

struct device_want device_want(const struct config *cfg, const char *device)
{
	struct device_want want = {0};

	for (unsigned i = 0; i < cfg->n_ports; i++) {
		const struct config_port *p = &cfg->ports[i];
		if (strcmp(p->device, device) != 0)
			continue;
		if (p->mtu > want.mtu)
			want.mtu = p->mtu;
		if (p->queues > want.queues)
			want.queues = p->queues;
		want.vlan = want.vlan || p->vlan != 0;
	}
	return want;
}

uint16_t mbuf_room(uint16_t mtu)
{
	unsigned room = (unsigned)mtu + MBUF_OVERHEAD;
	unsigned least = 2048 + RTE_PKTMBUF_HEADROOM; // drivers refuse less

	if (room < least)
		room = least;
	return (uint16_t)((room + 63) & ~63u);
}

static const char *after(const char *text, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(text, prefix, n) == 0 ? text + n : NULL;
}

static bool is_pci_address(const char *s)
{
	static const char form[] = "xxxx:xx:xx.x";

	if (strlen(s) == 7) // without the domain
		return is_pci_address((char[13]){'0', '0', '0', '0', ':', s[0], s[1], s[2], s[3],
						 s[4], s[5], s[6], 0});
	if (strlen(s) != sizeof(form) - 1)
		return false;
	for (size_t i = 0; form[i] != 0; i++)
		if (form[i] == 'x' ? !isxdigit((unsigned char)s[i]) : s[i] != form[i])
			return false;
	return true;
}

static int iface_copy(struct device_spec *out, const char *name, const char *text, struct err *err)
{
	size_t len = strlen(name);

	if (len == 0 || len >= sizeof(out->iface) || strpbrk(name, ",/ ") != NULL)
		return err_set(err, -EINVAL,
			       "device %s: \"%s\" is no interface name (1 to 15 characters)", text,
			       name);
	memcpy(out->iface, name, len + 1);
	return 0;
}

static unsigned queues_wanted(const struct device_want *want, unsigned least, unsigned n_workers)
{
	unsigned n = want->queues == 0 ? least : want->queues;

	return n < n_workers ? n : n_workers;
}

static unsigned packet_frame(uint16_t mtu)
{
	unsigned frame = (mtu + PACKET_OVERHEAD + 255) & ~255u;

	return frame < 2048 ? 2048 : frame;
}

unsigned packet_frames_fit(const struct config *cfg, uint64_t lockable)
{
	uint64_t bytes = 0; // of one frame in each ring

	if (lockable == UINT64_MAX)
		return 0;
	for (unsigned i = 0; i < cfg->n_ports; i++) {
		const char *device = cfg->ports[i].device;
		struct device_want want = device_want(cfg, device);
		if (device_first_port(cfg, i) == i && after(device, "af_packet:") != NULL)
			bytes += 2ull * packet_frame(want.mtu) *
				 queues_wanted(&want, 1, cfg->n_workers);
	}
	uint64_t frames = bytes == 0 ? 0 : lockable / 10 * 9 / bytes & ~15ull;
	if (frames < 16)
		return bytes == 0 ? 0 : 16;
	return frames < FRAMES_MAX ? (unsigned)frames : FRAMES_MAX;
}

// The ring's frames hold a whole packet and fit a buffer. The driver wants blocks of whole frames, the
// kernel blocks of whole pages: 16 frames of a multiple of 256 bytes.
static void af_packet_args(struct device_spec *out, const struct device_want *want, unsigned queues)
{
	unsigned frame = packet_frame(want->mtu);
	unsigned count = want->frames != 0 ? want->frames : FRAMES_DEFAULT * 2048 / frame;
	snprintf(out->args, sizeof(out->args),
		 "%s,iface=%s,qpairs=%u,blocksz=%u,framesz=%u,framecnt=%u", out->name, out->iface,
		 queues, 16 * frame, frame, count & ~15u);
}

static int pcap_args(const char *text, const char *files, struct device_spec *out, struct err *err)
{
	const char *comma = strchr(files, ',');
	int n;

	if (*files == 0 || files == comma || (comma != NULL && comma[1] == 0))
		return err_set(err, -EINVAL, "device %s: a file is missing; pcap:RX or pcap:RX,TX",
			       text);
	if (comma == NULL)
		n = snprintf(out->args, sizeof(out->args), "%s,rx_pcap=%s", out->name, files);
	else
		n = snprintf(out->args, sizeof(out->args), "%s,rx_pcap=%.*s,tx_pcap=%s", out->name,
			     (int)(comma - files), files, comma + 1);
	if (n < 0 || (size_t)n >= sizeof(out->args))
		return err_set(err, -EINVAL, "device %s: too long", text);
	return 0;
}

static int vdev_args(const char *text, const char *args, struct device_spec *out, struct err *err)
{
	size_t name_len = strcspn(args, ",");

	if (name_len == 0 || name_len >= sizeof(out->name) || strlen(args) >= sizeof(out->args))
		return err_set(err, -EINVAL,
			       "device %s: vdev:DRIVER[,ARGUMENTS], as in "
			       "vdev:net_tap1,iface=t1",
			       text);
	memcpy(out->name, args, name_len);
	out->name[name_len] = 0;
	snprintf(out->args, sizeof(out->args), "%s", args);
	return 0;
}

int device_spec_parse(const char *text, unsigned index, const struct device_want *want,
		      unsigned n_workers, struct device_spec *out, struct err *err)
{
	const char *rest;
	int rc = 0;

	memset(out, 0, sizeof(*out));
	if (is_pci_address(text)) {
		out->kind = DEV_PCI;
		snprintf(out->name, sizeof(out->name), "%s%s", strlen(text) == 7 ? "0000:" : "",
			 text);
		snprintf(out->args, sizeof(out->args), "%s", out->name);
	} else if ((rest = after(text, "af_xdp:")) != NULL) {
		out->kind = DEV_AF_XDP;
		rc = iface_copy(out, rest, text, err);
		snprintf(out->name, sizeof(out->name), "net_af_xdp%u", index);
		snprintf(out->args, sizeof(out->args), "%s,iface=%s,start_queue=0,queue_count=%u",
			 out->name, out->iface, queues_wanted(want, 1, n_workers));
	} else if ((rest = after(text, "af_packet:")) != NULL) {
		out->kind = DEV_AF_PACKET;
		rc = iface_copy(out, rest, text, err);
		snprintf(out->name, sizeof(out->name), "net_af_packet%u", index);
		af_packet_args(out, want, queues_wanted(want, 1, n_workers));
	} else if ((rest = after(text, "tap:")) != NULL) {
		out->kind = DEV_TAP;
		rc = iface_copy(out, rest, text, err);
		snprintf(out->name, sizeof(out->name), "net_tap%u", index);
		snprintf(out->args, sizeof(out->args), "%s,iface=%s", out->name, out->iface);
	} else if ((rest = after(text, "ring:")) != NULL) {
		out->kind = DEV_RING;
		if (*rest == 0 || strlen(rest) > RING_NAME_MAX || strpbrk(rest, ",:/ ") != NULL)
			return err_set(err, -EINVAL,
				       "device %s: ring:NAME, a name of 1 to %d characters", text,
				       RING_NAME_MAX);
		snprintf(out->name, sizeof(out->name), "net_ring_%s", rest);
		snprintf(out->args, sizeof(out->args), "%s", out->name);
	} else if ((rest = after(text, "pcap:")) != NULL) {
		out->kind = DEV_PCAP;
		snprintf(out->name, sizeof(out->name), "net_pcap%u", index);
		rc = pcap_args(text, rest, out, err);
	} else if ((rest = after(text, "vdev:")) != NULL) {
		out->kind = DEV_VDEV;
		rc = vdev_args(text, rest, out, err);
	} else {
		return err_set(err, -EINVAL,
			       "device %s is not known; a PCI address (0000:3b:00.0), "
			       "af_xdp:IFACE, af_packet:IFACE, tap:NAME, ring:NAME, pcap:RX[,TX] "
			       "or vdev:DRIVER,ARGUMENTS",
			       text);
	}
	return rc;
}
