// SPDX-License-Identifier: GPL-2.0-or-later
// strongSwan's charon with Trunkline as its IPsec kernel. The plugin has to come before kernel-netlink, which
// keeps addresses and routes (trunkline.conf: load = 100).
#include "events.h"
#include "ipsec.h"

#include <daemon.h>
#include <plugins/plugin.h>

static bool notes_register(plugin_t *plugin, plugin_feature_t *feature, bool reg, void *data)
{
	(void)plugin;
	(void)feature;
	(void)data;
	if (reg) {
		charon->bus->add_listener(charon->bus, &notes_listener);
		charon->bus->add_logger(charon->bus, &notes_logger);
	} else {
		charon->bus->remove_listener(charon->bus, &notes_listener);
		charon->bus->remove_logger(charon->bus, &notes_logger);
	}
	return true;
}

static char *get_name(plugin_t *this)
{
	(void)this;
	return "trunkline";
}

static int get_features(plugin_t *this, plugin_feature_t *features[])
{
	static plugin_feature_t f[] = {
		PLUGIN_CALLBACK(kernel_ipsec_register, trunkline_ipsec_create),
		PLUGIN_PROVIDE(CUSTOM, "kernel-ipsec"),
		PLUGIN_CALLBACK(notes_register, NULL),
		PLUGIN_PROVIDE(CUSTOM, "trunkline-notes"),
	};

	(void)this;
	*features = f;
	return countof(f);
}

static void destroy(plugin_t *this)
{
	(void)this;
}

static plugin_t plugin = {.get_name = get_name, .get_features = get_features, .destroy = destroy};

__attribute__((visibility("default"))) plugin_t *trunkline_plugin_create(void);

#ifdef PLUGIN_DEFINE // from 6.0.3 on a plugin says the version that it was built for, too
extern __attribute__((visibility("default"))) const char *trunkline_plugin_version;
PLUGIN_DEFINE(trunkline)
#else
plugin_t *trunkline_plugin_create(void)
#endif
{
	return &plugin;
}
