// SPDX-License-Identifier: BSD-3-Clause
#include "ike/feed.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

// Until the socket is ready for events or the deadline (-1: none) is over.
static int wait_for(int fd, short events, int64_t deadline)
{
	for (;;) {
		struct pollfd p = {.fd = fd, .events = events};
		int64_t left = deadline < 0 ? -1 : deadline - now_ms();
		if (deadline >= 0 && left < 0)
			left = 0;
		int n = poll(&p, 1, (int)left);
		if (n > 0)
			return 0;
		if (n == 0)
			return -ETIMEDOUT;
		if (errno != EINTR)
			return -errno;
	}
}

static int64_t deadline_in(int timeout_ms)
{
	return timeout_ms < 0 ? -1 : now_ms() + timeout_ms;
}

int feed_send(int fd, const struct feed_msg *m, int timeout_ms)
{
	uint8_t buf[FEED_MESSAGE_MAX];
	int64_t deadline = deadline_in(timeout_ms);
	int len = feed_encode(m, buf, sizeof(buf)), ret = 0;

	if (len < 0)
		return len;
	for (int at = 0; at < len && ret == 0;) {
		ssize_t n = send(fd, buf + at, (size_t)(len - at), MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n > 0)
			at += (int)n;
		else if (errno == EAGAIN)
			ret = wait_for(fd, POLLOUT, deadline);
		else if (errno != EINTR)
			ret = -errno;
	}
	explicit_bzero(buf, (size_t)len);
	return ret;
}

static int recv_exactly(int fd, uint8_t *p, size_t n, int64_t deadline)
{
	while (n > 0) {
		ssize_t got = recv(fd, p, n, MSG_DONTWAIT);
		if (got == 0)
			return -ECONNRESET;
		if (got < 0 && errno == EAGAIN) {
			int ret = wait_for(fd, POLLIN, deadline);
			if (ret < 0)
				return ret;
		} else if (got < 0 && errno != EINTR) {
			return -errno;
		} else if (got > 0) {
			p += got;
			n -= (size_t)got;
		}
	}
	return 0;
}

int feed_recv(int fd, struct feed_msg *m, int timeout_ms, struct err *err)
{
	uint8_t buf[FEED_MESSAGE_MAX];
	int ret = wait_for(fd, POLLIN, deadline_in(timeout_ms));

	if (ret == 0)
		ret = recv_exactly(fd, buf, FEED_HEADER, now_ms() + FEED_PATIENCE);
	if (ret < 0)
		return err_set(err, ret, "feed: %s", strerror(-ret));
	int len = feed_len(buf, FEED_HEADER);
	if (len < 0)
		return err_set(err, len, "feed: a message of a length that none has");
	ret = recv_exactly(fd, buf + FEED_HEADER, (size_t)len - FEED_HEADER,
			   now_ms() + FEED_PATIENCE);
	if (ret == 0)
		ret = feed_decode(buf, (size_t)len, m, err);
	else
		err_set(err, ret, "feed: %s", strerror(-ret));
	explicit_bzero(buf, (size_t)len);
	return ret;
}
