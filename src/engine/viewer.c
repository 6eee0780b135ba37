/* viewer.c - talking to one viewer, which may be slow, dead or hostile: every read and write is non-blocking,
 * what it sends is bounded before it is believed, and a fault of its own only costs it its connection. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "engine/viewer.h"
#include "engine/lathe.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void viewer_init(Viewer *v, Bus *b, int id, int fd, const char *name)
{
	*v = (Viewer){ .id = id, .fd = fd, .joined = bus_serial(b) };
	fcntl(fd, F_SETFL, O_NONBLOCK);
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	Buf hello = BUF_INIT;
	Jout j;
	jout_init(&j, &hello);
	jout_obj(&j);
	jout_kint(&j, "stream", STREAM_VERSION);
	jout_kstr(&j, "lathe", lathe_version());
	jout_kstr(&j, "name", name);
	jout_kint(&j, "pid", (int64_t)getpid());
	jout_knum(&j, "time", bus_time(b));
	jout_end_obj(&j);
	frame_put_text(&v->out, FRAME_HELLO, buf_str(&hello), hello.len);
	buf_done(&hello);
}

void viewer_done(Viewer *v)
{
	if (v->fd >= 0)
		close(v->fd);
	buf_done(&v->in);
	buf_done(&v->out);
	buf_done(&v->replies);
	*v = (Viewer){ .fd = -1 };
}

void viewer_bye(Viewer *v, const char *why)
{
	Buf bye = BUF_INIT;
	Jout j;
	jout_init(&j, &bye);
	jout_obj(&j);
	jout_kstr(&j, "reason", why);
	jout_end_obj(&j);
	buf_add(&v->out, buf_str(&v->replies), v->replies.len);
	buf_clear(&v->replies);
	frame_put_text(&v->out, FRAME_BYE, buf_str(&bye), bye.len);
	buf_done(&bye);
	v->closing = true;
}

void viewer_reply_error(Viewer *v, const json_t *command, int code, const char *text)
{
	Buf b = BUF_INIT;
	Jout j;
	bus_reply_begin(&j, &b, command, false);
	jout_kint(&j, "code", code);
	jout_kstr(&j, "error", text);
	jout_end_obj(&j);
	frame_put_text(&v->replies, FRAME_REPLY, buf_str(&b), b.len);
	buf_done(&b);
}

void viewer_reply_ok(Viewer *v, const json_t *command)
{
	Buf b = BUF_INIT;
	Jout j;
	bus_reply_begin(&j, &b, command, true);
	jout_end_obj(&j);
	frame_put_text(&v->replies, FRAME_REPLY, buf_str(&b), b.len);
	buf_done(&b);
}

/* Takes the whole frames from v->in. False: malformed, or not a viewer's to send. */
static bool viewer_frames(Viewer *v, void (*fn)(void *ud, Viewer *v, json_t *command), void *ud)
{
	size_t at = 0;
	Err e = { 0 };
	Frame f;
	long n;
	while (!v->closing && (n = frame_take(buf_str(&v->in) + at, v->in.len - at, &f, &e)) > 0) {
		at += (size_t)n;
		if (f.kind == FRAME_COMMAND) {
			Err bad = { 0 };
			json_t *c = json_parse(f.text, f.text_len, "command", E_3183, &bad);
			if (c && json_is_object(c)) {
				fn(ud, v, c);
			} else {
				viewer_reply_error(
					v, c, E_3183, bad.code ? bad.text : "command: not an object");
				json_decref(c);
			}
		} else if (f.kind == FRAME_BYE) {
			return false;
		} else if (f.kind != FRAME_HELLO) {
			err_set(&e, E_3181, "frame: kind %d is not a viewer's to send", (int)f.kind);
			break;
		}
	}
	if (e.code) {
		viewer_bye(v, e.text);
		return true;
	}
	memmove(v->in.s, v->in.s + at, v->in.len - at);
	v->in.len -= at;
	if (v->in.len > VIEWER_COMMAND_MAX)
		viewer_bye(v, "command: larger than 8 MiB");
	return true;
}

bool viewer_read(Viewer *v, void (*fn)(void *ud, Viewer *v, json_t *command), void *ud)
{
	enum { STEP = 64 << 10 };
	/* A few steps only: one viewer's flood must not starve the others. */
	for (int i = 0; i < 4; i++) {
		if (!buf_reserve(&v->in, STEP))
			return false;
		ssize_t n = recv(v->fd, v->in.s + v->in.len, STEP, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return true;
		if (n <= 0)
			return false;
		if (v->closing)
			continue;
		v->in.len += (size_t)n;
		if (!viewer_frames(v, fn, ud))
			return false;
	}
	return v->replies.len <= VIEWER_REPLIES_MAX;
}

static void put_drops(Viewer *v)
{
	Buf b = BUF_INIT;
	Jout j;
	jout_init(&j, &b);
	jout_obj(&j);
	jout_kint(&j, "dropped", (int64_t)(v->drops - v->drops_told));
	jout_kint(&j, "total", (int64_t)v->drops);
	jout_end_obj(&j);
	frame_put_text(&v->out, FRAME_DROPS, buf_str(&b), b.len);
	buf_done(&b);
	v->drops_told = v->drops;
}

/* Replies first, then samples. */
static void viewer_fill(Viewer *v, Bus *b)
{
	buf_clear(&v->out);
	v->sent = 0;
	if (v->replies.len > 0) {
		buf_add(&v->out, v->replies.s, v->replies.len);
		buf_clear(&v->replies);
	}
	bus_pull(b, &v->cursor, v->joined, VIEWER_BATCH, VIEWER_LAG, &v->out, &v->drops);
	if (v->drops > v->drops_told)
		put_drops(v);
}

bool viewer_write(Viewer *v, Bus *b)
{
	for (int i = 0; i < 8; i++) {
		if (v->sent == v->out.len) {
			if (v->closing)
				return false;
			viewer_fill(v, b);
		}
		if (v->out.failed)
			return false;
		if (v->out.len == 0)
			return true;
		ssize_t n =
			send(v->fd, v->out.s + v->sent, v->out.len - v->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return true;
		if (n < 0)
			return false;
		v->sent += (size_t)n;
	}
	return true;
}

bool viewer_wants_write(const Viewer *v)
{
	return v->sent < v->out.len || v->replies.len > 0 || v->closing;
}
