// SPDX-License-Identifier: BSD-3-Clause
// The SDP that a side gets: what flags want of its session part, and which codecs stay.
#include "ng_call_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool ng_sdp_looped(const struct ng_calls *c, const struct sdp *sdp)
{
	size_t len = strlen(c->loop_mark);

	for (unsigned i = 0; i < sdp->n_lines; i++)
		if (sdp->line[i].len == len &&
		    memcmp(sdp->text + sdp->line[i].at, c->loop_mark, len) == 0)
			return true;
	return false;
}

// ---- codecs ----

// "opus", "opus/48000", "opus/48000/2", or a payload type's number.
static bool codec_named(const struct sdp_codec *c, struct ng_str name)
{
	char text[64];
	uint32_t len = name.len;
	const char *slash = memchr(name.at, '/', name.len);
	unsigned long rate = 0, channels = 0;

	if (name.len == 0 || name.len >= sizeof(text))
		return false;
	memcpy(text, name.at, name.len);
	text[name.len] = '\0';
	if (slash != NULL) {
		char *end;
		len = (uint32_t)(slash - name.at);
		rate = strtoul(text + len + 1, &end, 10);
		channels = *end == '/' ? strtoul(end + 1, NULL, 10) : 0;
	}
	if (slash == NULL && strspn(text, "0123456789") == len)
		return strtoul(text, NULL, 10) == c->type;
	return c->name.len == len && strncasecmp(c->name.at, text, len) == 0 &&
	       (rate == 0 || rate == c->clock_rate) &&
	       (channels == 0 || channels == (c->channels == 0 ? 1u : c->channels));
}

static bool means_all(struct ng_str s)
{
	return (s.len == 3 && strncasecmp(s.at, "all", 3) == 0) ||
	       (s.len == 4 && strncasecmp(s.at, "full", 4) == 0);
}

// What is masked would be transcoded for the offerer; an answer takes nothing of it away.
static bool codec_goes(const struct ng_request *r, const struct sdp_codec *c, bool offer)
{
	bool goes = false, stays = false, except = false, excepted = false;

	for (const struct ng_named *n = r->named; n != NULL; n = n->next) {
		bool it = codec_named(c, n->name);
		switch (n->prefix) {
		case NG_PREFIX_CODEC_STRIP:
			goes |= it || means_all(n->name);
			break;
		case NG_PREFIX_CODEC_MASK:
		case NG_PREFIX_CODEC_CONSUME:
			goes |= offer && (it || means_all(n->name));
			break;
		case NG_PREFIX_CODEC_EXCEPT:
			except = true;
			excepted |= it;
			break;
		case NG_PREFIX_CODEC_OFFER:
		case NG_PREFIX_CODEC_TRANSCODE: // where it was offered already
			stays |= it || means_all(n->name);
			break;
		default:
			break;
		}
	}
	return !stays && !excepted && (goes || except);
}

void ng_codecs_strip(const struct ng_ask *k, const struct sdp_section *sec, bool offer,
		     uint64_t strip[2])
{
	bool any = false, left = false;

	for (const struct ng_named *n = k->req->named; n != NULL; n = n->next)
		any |= n->prefix != NG_PREFIX_SDES_NO && n->prefix != NG_PREFIX_SDES_ONLY;
	for (unsigned i = 0; any && i < sec->n_codecs; i++) {
		const struct sdp_codec *c = &k->all->sdp.codec[sec->first_codec + i];
		if (codec_goes(k->req, c, offer))
			strip[c->type / 64] |= UINT64_C(1) << (c->type % 64);
		else
			left = true;
	}
	if (!left)
		strip[0] = strip[1] = 0;
}

// ---- the session's part ----

static bool is_zero(const struct ip_addr *a)
{
	return a->family == AF_INET && a->v4.s_addr == 0;
}

// The session's c= is ours as soon as one section counts on it.
static bool connection_replaced(const struct ng_ask *k)
{
	const struct sdp *sdp = &k->all->sdp;
	bool wanted = ng_flag(k->req, NG_FLAG_REPLACE_SESSION_CONNECTION);

	if (sdp->address.family == 0 ||
	    (is_zero(&sdp->address) && !ng_flag(k->req, NG_FLAG_REPLACE_ZERO_ADDRESS)))
		return false;
	for (unsigned i = 0; i < sdp->n_sections; i++)
		wanted |= !sdp->section[i].own_connection && !k->all->change.section[i].reject;
	return wanted;
}

static const char *told_text(const struct ng_ask *k, char **told, struct sdp_span said)
{
	if (*told == NULL && said.len <= NG_TEXT_MAX)
		*told = strndup(said.at, said.len);
	if (*told == NULL && !k->a->failed)
		return NULL;
	return *told;
}

// Sections without a mid get one that no other has.
static int mids_make(const struct ng_ask *k)
{
	const struct sdp *sdp = &k->all->sdp;
	unsigned next = 1;

	for (unsigned i = 0; i < sdp->n_sections; i++) {
		char *mid;
		bool taken = true;
		if (sdp->section[i].mid.len != 0)
			continue;
		if ((mid = ng_alloc(k->a, 16)) == NULL)
			return err_set(k->err, -ENOMEM, "out of memory");
		while (taken) {
			snprintf(mid, 16, "%u", next++);
			taken = false;
			for (unsigned j = 0; j < sdp->n_sections; j++)
				taken |= sdp_span_is(sdp->section[j].mid, mid);
		}
		k->all->change.section[i].mid = mid;
	}
	return 0;
}

static uint64_t digest(const char *text, size_t len)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
	return h;
}

static int write_out(const struct ng_ask *k)
{
	struct ng_calls *c = k->all;
	int n = sdp_rewrite(&c->sdp, &c->change, c->out, sizeof(c->out), k->err);

	c->out_len = n > 0 ? (size_t)n : 0;
	return n;
}

// The version in o= goes up with each text that differs from the last one, and only then.
static int version_set(const struct ng_ask *k, struct ng_told *told, char version[24])
{
	struct sdp_span said = k->all->sdp.version;
	uint64_t first = 0;

	k->all->change.version = "0";
	int n = write_out(k);
	if (n < 0)
		return n;
	uint64_t d = digest(k->all->out, (size_t)n);
	for (uint32_t i = 0; i < said.len && i < 18 && said.at[i] >= '0' && said.at[i] <= '9'; i++)
		first = first * 10 + (uint64_t)(said.at[i] - '0');
	if (told->digest == 0)
		told->version = first;
	else if (told->digest != d)
		told->version++;
	told->digest = d;
	snprintf(version, 24, "%" PRIu64, told->version);
	k->all->change.version = version;
	return 0;
}

int ng_sdp_write(const struct ng_ask *k, struct ng_side *to, const struct ip_addr *local)
{
	struct ng_calls *c = k->all;
	struct sdp_change *ch = &c->change;
	const char *const extra[] = {c->loop_mark, NULL};
	char version[24];
	int n = 0;

	ch->cut_group = ch->cut_ice = ch->cut_dtls = true;
	if (connection_replaced(k))
		ch->connection = *local;
	if (ng_flag(k->req, NG_FLAG_REPLACE_ORIGIN))
		ch->origin = *local;
	if (ng_flag(k->req, NG_FLAG_REPLACE_USERNAME))
		ch->username = told_text(k, &to->told.username, c->sdp.username);
	if (ng_flag(k->req, NG_FLAG_REPLACE_SESSION_NAME))
		ch->name = told_text(k, &to->told.name, c->sdp.name);
	if (ng_flag(k->req, NG_FLAG_LOOP_PROTECT) && c->sdp.n_sections > 0)
		ch->section[0].extra = extra;
	if (ng_flag(k->req, NG_FLAG_GENERATE_MID))
		n = mids_make(k);
	if (n == 0 && ng_flag(k->req, NG_FLAG_REPLACE_SDP_VERSION))
		n = version_set(k, &to->told, version);
	if (n >= 0)
		n = write_out(k);
	if (n < 0)
		return n;
	ng_add_str(k->a, k->answer, "sdp", (struct ng_str){c->out, (uint32_t)n});
	return 0;
}
