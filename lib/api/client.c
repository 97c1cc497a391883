// SPDX-License-Identifier: BSD-3-Clause
#include "api/api.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

struct api_client {
	int fd;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
};

static int connect_error(const char *path, int code, struct err *err)
{
	switch (code) {
	case ENOENT:
		return err_set(err, -code,
			       "cannot reach trunklined at %s: no such socket; is it running? "
			       "systemctl status trunklined",
			       path);
	case ECONNREFUSED:
		return err_set(err, -code,
			       "cannot reach trunklined at %s: nobody answers on this socket; did "
			       "it end? systemctl status trunklined",
			       path);
	case EACCES:
	case EPERM:
		return err_set(
			err, -code,
			"cannot reach trunklined at %s: permission denied; use sudo, or join "
			"the socket's group",
			path);
	case EAGAIN:
		return err_set(err, -code,
			       "cannot reach trunklined at %s: it does not accept connections at "
			       "the moment; try again",
			       path);
	default:
		return err_set(err, -code, "cannot reach trunklined at %s: %s", path,
			       strerror(code));
	}
}

int api_client_open(const char *path, struct api_client **out, struct err *err)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(addr.sun_path))
		return err_set(
			err, -ENAMETOOLONG,
			"cannot reach trunklined: the socket's path is longer than %zu bytes",
			sizeof(addr.sun_path) - 1);
	memcpy(addr.sun_path, path, strlen(path));
	struct api_client *c = calloc(1, sizeof(*c));
	if (c == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	memcpy(c->path, addr.sun_path, sizeof(c->path));
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		int code = errno;
		api_client_close(c);
		return connect_error(path, code, err);
	}
	*out = c;
	return 0;
}

void api_client_close(struct api_client *c)
{
	if (c == NULL)
		return;
	if (c->fd >= 0)
		close(c->fd);
	free(c);
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

// Waits until the socket is ready or the deadline has passed.
static int client_wait(struct api_client *c, short what, int64_t deadline)
{
	struct pollfd p = {.fd = c->fd, .events = what};

	for (;;) {
		int64_t left = deadline - now_ms();
		if (left <= 0)
			return -ETIMEDOUT;
		int n = poll(&p, 1, (int)left);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
}

static int client_send(struct api_client *c, const uint8_t *data, size_t len, int64_t deadline)
{
	while (len > 0) {
		ssize_t n = send(c->fd, data, len, MSG_NOSIGNAL);
		if (n > 0) {
			data += n;
			len -= (size_t)n;
		} else if (errno == EAGAIN) {
			int r = client_wait(c, POLLOUT, deadline);
			if (r < 0)
				return r;
		} else if (errno != EINTR) {
			return -errno;
		}
	}
	return 0;
}

static int client_receive(struct api_client *c, struct api_frame *f, int64_t deadline)
{
	for (;;) {
		uint8_t *at;
		size_t room;
		int r = api_frame_space(f, &at, &room);
		if (r < 0)
			return r;
		ssize_t n = recv(c->fd, at, room, 0);
		if (n > 0) {
			r = api_frame_got(f, (size_t)n);
			if (r != 0)
				return r < 0 ? r : 0;
		} else if (n == 0) {
			return -ECONNRESET;
		} else if (errno == EAGAIN) {
			r = client_wait(c, POLLIN, deadline);
			if (r < 0)
				return r;
		} else if (errno != EINTR) {
			return -errno;
		}
	}
}

static int call_error(struct api_client *c, int code, struct err *err)
{
	switch (-code) {
	case ETIMEDOUT:
		return err_set(err, code, "trunklined at %s does not answer in time", c->path);
	case ECONNRESET:
	case EPIPE:
		return err_set(err, code, "trunklined at %s closed the connection", c->path);
	case EMSGSIZE:
		return err_set(err, code, "the message is larger than the API allows");
	default:
		return err_set(err, code, "talking to trunklined at %s: %s", c->path,
			       strerror(-code));
	}
}

int api_client_call(struct api_client *c, const char *cmd, json_t *args, int timeout_ms,
		    json_t **answer, struct err *err)
{
	int64_t deadline = now_ms() + timeout_ms;
	uint8_t *data = NULL;
	size_t len = 0;
	json_t *request = api_request(cmd, args);
	int r = request == NULL ? -ENOMEM : api_frame_encode(request, API_REQUEST_MAX, &data, &len);
	json_decref(request);
	if (r < 0)
		return call_error(c, r, err);

	struct api_frame f;
	api_frame_init(&f, API_ANSWER_MAX);
	r = client_send(c, data, len, deadline);
	explicit_bzero(data, len);
	free(data);
	// A server that refuses a client says why before it hangs up, so an answer is looked for
	// even when sending failed.
	int received =
		r == 0 || r == -EPIPE || r == -ECONNRESET ? client_receive(c, &f, deadline) : r;
	if (received < 0) {
		api_frame_clear(&f);
		return call_error(c, received, err);
	}
	*answer = api_json_load(f.buf, f.len, false, err);
	api_frame_clear(&f);
	if (*answer == NULL) {
		err_prefix(err, "trunklined at %s", c->path);
		return -EBADMSG;
	}
	if (!json_is_boolean(json_object_get(*answer, "ok"))) {
		json_decref(*answer);
		return err_set(err, -EBADMSG, "trunklined at %s: not an answer of this API",
			       c->path);
	}
	return 0;
}
