/* crowd.c - see crowd.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "engine/crowd.h"
#include "base/clock.h"
#include "engine/place.h"
#include <sys/socket.h>
#include <unistd.h>

enum { FIRST = 2 /* poll slots: bus, listen */ };

void crowd_add(Crowd *c, int fd)
{
	if (c->n == CROWD_VIEWERS || !place_peer_ok(fd)) {
		close(fd);
		return;
	}
	viewer_init(&c->viewer[c->n++], c->bus, ++c->next_id, fd, c->name);
	c->had_viewer = true;
}

static void crowd_remove(Crowd *c, size_t i)
{
	bus_gone(c->bus, c->viewer[i].id);
	viewer_done(&c->viewer[i]);
	c->viewer[i] = c->viewer[--c->n];
}

static void accept_all(Crowd *c)
{
	for (int i = 0; i < CROWD_VIEWERS; i++) {
		int fd = accept(c->listen_fd, NULL, NULL);
		if (fd < 0)
			return;
		crowd_add(c, fd);
	}
}

static void deliver_replies(Crowd *c)
{
	Buf frame = BUF_INIT;
	int id;
	while (bus_reply_take(c->bus, &id, &frame)) {
		for (size_t i = 0; i < c->n; i++)
			if (c->viewer[i].id == id && !c->viewer[i].closing)
				buf_add(&c->viewer[i].replies, frame.s, frame.len);
		buf_clear(&frame);
	}
	buf_done(&frame);
}

size_t crowd_poll(const Crowd *c, bool open, struct pollfd p[CROWD_POLL])
{
	p[0] = (struct pollfd){ .fd = bus_wake_fd(c->bus), .events = POLLIN };
	p[1] = (struct pollfd){ .fd = open ? c->listen_fd : -1, .events = POLLIN };
	for (size_t i = 0; i < CROWD_VIEWERS; i++) {
		const Viewer *v = &c->viewer[i];
		p[FIRST + i] = (struct pollfd){ .fd = i < c->n ? v->fd : -1, .events = POLLIN };
		if (i < c->n && viewer_wants_write(v))
			p[FIRST + i].events |= POLLOUT;
	}
	return FIRST + c->n;
}

/* A viewer whose socket is full is left alone until poll says otherwise. */
static void talk(Crowd *c, const struct pollfd *p)
{
	c->more = false;
	for (size_t i = c->n; i-- > 0;) {
		Viewer *v = &c->viewer[i];
		bool known = p[FIRST + i].fd == v->fd, ok = true;
		short got = known ? p[FIRST + i].revents : 0;
		if (got & (POLLIN | POLLHUP | POLLERR))
			ok = viewer_read(v, c->command, c->ud);
		if (ok && (v->sent == v->out.len || (got & POLLOUT)))
			ok = viewer_write(v, c->bus);
		if (!ok)
			crowd_remove(c, i);
		else if (v->sent == v->out.len && v->out.len > 0)
			c->more = true;
	}
}

void crowd_turn(Crowd *c, const struct pollfd p[CROWD_POLL])
{
	if (p[0].revents)
		bus_wake_clear(c->bus);
	deliver_replies(c);
	talk(c, p);
	if (p[1].revents)
		accept_all(c);
}

void crowd_bye(Crowd *c, const char *why, double patience)
{
	struct pollfd p[CROWD_POLL];
	double until = clock_now() + patience;
	deliver_replies(c);
	for (size_t i = 0; i < c->n; i++)
		if (!c->viewer[i].closing)
			viewer_bye(&c->viewer[i], why);
	while (c->n > 0 && clock_now() < until) {
		for (size_t i = c->n; i-- > 0;)
			if (!viewer_write(&c->viewer[i], c->bus)) {
				viewer_done(&c->viewer[i]);
				c->viewer[i] = c->viewer[--c->n];
			}
		for (size_t i = 0; i < c->n; i++)
			p[i] = (struct pollfd){ .fd = c->viewer[i].fd, .events = POLLOUT };
		if (c->n > 0)
			poll(p, c->n, 20);
	}
	while (c->n > 0)
		viewer_done(&c->viewer[--c->n]);
}
