/* client.c - the viewer's side: a connection that never blocks, an engine that may die at any moment. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "engine/client.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/utf8.h"
#include "engine/place.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { READ_STEP = 256 << 10, READ_TURN = 4 << 20, REPLIES_MAX = 1024, ENDING = 400 };

struct Client {
	int fd, err_fd;            /* err_fd: what a spawned engine wrote to its stderr, an unlinked file */
	pid_t child;               /* not reaped yet; 0: none */
	bool spawned, more;
	char *program, **args;     /* of client_spawn */
	char *target;              /* of client_connect, may be NULL */
	Buf in, out;
	size_t taken, sent;
	char **reply;
	size_t n_reply;
	char *reply_shown;
	int64_t next_id;
	uint64_t drops;
	int pid, status;
	char name[PLACE_PATH], bye[128], ending[ENDING];
};

static Client *client_new(Err *e)
{
	Client *c = calloc(1, sizeof *c);
	if (!c) {
		err_set(e, E_5001, "engine: out of memory");
		return NULL;
	}
	c->fd = c->err_fd = -1;
	c->next_id = 1;
	c->status = -1;
	return c;
}

static char **args_copy(const char *const *args)
{
	size_t n = 0;
	while (args && args[n])
		n++;
	char **copy = calloc(n + 5, sizeof *copy);
	if (!copy)
		return NULL;
	const char *const first[] = { "lathe", "engine", "--fd", "3" };
	for (size_t i = 0; i < n + 4; i++) {
		copy[i] = strdup(i < 4 ? first[i] : args[i - 4]);
		if (!copy[i]) {
			while (i > 0)
				free(copy[--i]);
			free(copy);
			return NULL;
		}
	}
	return copy;
}

/* In the child, between fork and exec: only calls that are safe there. */
static void child_exec(const char *program, char **args, int sock, int err)
{
	sigset_t none;
	sigemptyset(&none);
	setsid();
	int null = open("/dev/null", O_RDWR), s = fcntl(sock, F_DUPFD, 10), r = fcntl(err, F_DUPFD, 10);
	if (null >= 0 && s >= 0 && r >= 0 && dup2(null, 0) == 0 && dup2(null, 1) == 1 && dup2(r, 2) == 2 &&
		dup2(s, 3) == 3) {
		for (int fd = 4; fd < 256; fd++)
			close(fd);
		sigprocmask(SIG_SETMASK, &none, NULL);
		execv(program, args);
	}
	static const char note[] = "lathe: the engine's program cannot be started\n";
	if (write(2, note, sizeof note - 1) < 0)
		_exit(126);
	_exit(127);
}

static bool client_start(Client *c, Err *e)
{
	int pair[2];
	FILE *tmp = tmpfile();
	if (!tmp)
		return err_errno(e, "create", "temporary file");
	c->err_fd = fcntl(fileno(tmp), F_DUPFD_CLOEXEC, 3);
	fclose(tmp);
	if (c->err_fd < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return err_errno(e, "socketpair", NULL);
	pid_t pid = fork();
	if (pid == 0)
		child_exec(c->program, c->args, pair[1], c->err_fd);
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		return err_set(e, E_5001, "engine: cannot start a process: %s", strerror(errno));
	}
	fcntl(pair[0], F_SETFL, O_NONBLOCK);
	c->fd = pair[0];
	c->child = pid;
	c->pid = (int)pid;
	return true;
}

Client *client_spawn(const char *program, const char *const *args, Err *e)
{
	Client *c = client_new(e);
	if (!c)
		return NULL;
	c->spawned = true;
	c->program = strdup(program ? program : "/proc/self/exe");
	c->args = args_copy(args);
	if (!c->program || !c->args)
		err_set(e, E_5001, "engine: out of memory");
	else if (client_start(c, e))
		return c;
	client_free(c);
	return NULL;
}

static bool socket_connect(Client *c, const char *path, Err *e)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_errno(e, "socket", NULL);
	if (connect(fd, (const struct sockaddr *)&at, sizeof at) != 0) {
		bool busy = errno == EAGAIN;
		bool none = errno == ENOENT || errno == ECONNREFUSED;
		if (busy)
			err_set(e, E_9002, "%s: the engine takes no more viewers now; try again", path);
		else if (none)
			err_set(e, E_4001, "%s: no engine there; `lathe engine --list` shows what runs",
				path);
		else
			err_errno(e, "connect", path);
		close(fd);
		return false;
	}
	if (!place_peer_ok(fd)) {
		close(fd);
		return err_set(e, E_4001, "%s: belongs to another user", path);
	}
	c->fd = fd;
	return true;
}

typedef struct ListAll { ClientEngine *out; size_t n, max; } ListAll;

static void list_one(const Place *p, pid_t pid, void *ud)
{
	ListAll *all = ud;
	size_t at = all->n++;
	if (at >= all->max)
		return;
	ClientEngine *x = &all->out[at];
	snprintf(x->name, sizeof x->name, "%s", p->name);
	snprintf(x->socket, sizeof x->socket, "%s", p->socket);
	x->pid = (int)pid;
}

static int engine_order(const void *a, const void *b)
{
	return strcmp(((const ClientEngine *)a)->name, ((const ClientEngine *)b)->name);
}

size_t client_list(ClientEngine *out, size_t max, Err *e)
{
	ListAll all = { out, 0, max };
	if (!place_each(list_one, &all, e))
		return 0;
	qsort(out, all.n < max ? all.n : max, sizeof *out, engine_order);
	return all.n;
}

/* The only engine that runs. */
static bool target_only(char path[PLACE_PATH], Err *e)
{
	Err le = { 0 };
	ClientEngine x[2];
	size_t n = client_list(x, 2, &le);
	if (le.code)
		return err_set(e, le.code, "%s", le.text);
	if (n == 0)
		return err_set(
			e, E_4001, "no engine runs; start one with `lathe engine CKPT` or `lathe open CKPT`");
	if (n > 1)
		return err_set(e, E_2003, "%zu engines run (%s, %s%s): say which; see `lathe engine --list`",
			n, x[0].name, x[1].name, n > 2 ? " ..." : "");
	snprintf(path, PLACE_PATH, "%s", x[0].socket);
	return true;
}

static bool client_reach(Client *c, Err *e)
{
	char path[PLACE_PATH];
	Place p;
	if (!c->target)
		return target_only(path, e) && socket_connect(c, path, e);
	return place_find(c->target, &p, e) && socket_connect(c, p.socket, e);
}

Client *client_connect(const char *name, Err *e)
{
	Client *c = client_new(e);
	if (!c)
		return NULL;
	c->target = name ? strdup(name) : NULL;
	if (name && !c->target)
		err_set(e, E_5001, "engine: out of memory");
	else if (client_reach(c, e))
		return c;
	client_free(c);
	return NULL;
}

static void client_drop(Client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	buf_clear(&c->in);
	buf_clear(&c->out);
	c->taken = c->sent = 0;
	c->more = false;
}

static void forget_replies(Client *c)
{
	for (size_t i = 0; i < c->n_reply; i++)
		free(c->reply[i]);
	c->n_reply = 0;
	free(c->reply_shown);
	c->reply_shown = NULL;
}

void client_free(Client *c)
{
	if (!c)
		return;
	client_drop(c);
	forget_replies(c);
	free(c->reply);
	if (c->err_fd >= 0)
		close(c->err_fd);
	for (size_t i = 0; c->args && c->args[i]; i++)
		free(c->args[i]);
	free(c->args);
	free(c->program);
	free(c->target);
	buf_done(&c->in);
	buf_done(&c->out);
	free(c);
}

/* The last line that a spawned engine wrote to stderr, safe to show. */
static void last_words(const Client *c, Buf *out)
{
	char tail[512];
	off_t end = c->err_fd >= 0 ? lseek(c->err_fd, 0, SEEK_END) : 0;
	off_t from = end > (off_t)sizeof tail ? end - (off_t)sizeof tail : 0;
	ssize_t n = end > 0 ? pread(c->err_fd, tail, sizeof tail, from) : 0;
	while (n > 0 && tail[n - 1] == '\n')
		n--;
	ssize_t at = n;
	while (at > 0 && tail[at - 1] != '\n')
		at--;
	if (n > at)
		safe_text(out, tail + at, (size_t)(n - at), 0);
}

/* Asks once how a spawned engine ended; it may not have yet. */
static void client_reap(Client *c)
{
	int st;
	if (c->fd >= 0 || c->child == 0 || waitpid(c->child, &st, WNOHANG) != c->child)
		return;
	c->child = 0;
	Buf said = BUF_INIT;
	last_words(c, &said);
	if (WIFSIGNALED(st)) {
		c->status = 128 + WTERMSIG(st);
		snprintf(c->ending, sizeof c->ending, "the engine was killed by signal %d (%s)", WTERMSIG(st),
			strsignal(WTERMSIG(st)));
	} else {
		c->status = WEXITSTATUS(st);
		snprintf(c->ending, sizeof c->ending, "the engine ended with status %d%s%.300s", c->status,
			said.len ? ": " : "", buf_str(&said));
	}
	buf_done(&said);
}

static void client_lost(Client *c, const char *why)
{
	client_drop(c);
	snprintf(c->ending, sizeof c->ending, "%s", c->bye[0] ? c->bye : why);
	client_reap(c);
}

bool client_restart(Client *c, Err *e)
{
	client_drop(c);
	client_reap(c);
	forget_replies(c);
	if (c->err_fd >= 0)
		close(c->err_fd);
	c->err_fd = -1;
	c->ending[0] = c->bye[0] = c->name[0] = '\0';
	c->status = -1;
	c->drops = 0;
	c->pid = 0;
	bool ok = c->spawned ? client_start(c, e) : client_reach(c, e);
	if (!ok)
		snprintf(c->ending, sizeof c->ending, "the engine cannot be started again");
	return ok;
}

int client_fd(const Client *c) { return c->fd; }
bool client_wants_write(const Client *c) { return c->fd >= 0 && c->sent < c->out.len; }
bool client_more(const Client *c) { return c->more; }
bool client_alive(const Client *c) { return c->fd >= 0; }
const char *client_ending(const Client *c) { return c->fd >= 0 ? "" : c->ending; }
int client_status(const Client *c) { return c->status; }
uint64_t client_drops(const Client *c) { return c->drops; }
int client_pid(const Client *c) { return c->pid; }
const char *client_name(const Client *c) { return c->name; }

static void client_flush(Client *c)
{
	while (client_wants_write(c)) {
		ssize_t n =
			send(c->fd, c->out.s + c->sent, c->out.len - c->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		/* A broken connection is noticed by the next read, which first takes the last words. */
		if (n < 0)
			return;
		c->sent += (size_t)n;
	}
	buf_clear(&c->out);
	c->sent = 0;
}

int64_t client_send(Client *c, const char *json)
{
	const char *rest = json;
	Buf b = BUF_INIT;
	while (*rest == ' ')
		rest++;
	if (c->fd < 0 || *rest != '{')
		return 0;
	rest++;
	while (*rest == ' ')
		rest++;
	buf_printf(&b, "{\"id\":%lld%s%s", (long long)c->next_id, *rest == '}' ? "" : ",", rest);
	if (!b.failed)
		frame_put_text(&c->out, FRAME_COMMAND, b.s, b.len);
	bool ok = !b.failed && !c->out.failed;
	buf_done(&b);
	if (!ok)
		return 0;
	client_flush(c);
	return c->next_id++;
}

static void take_reply(Client *c, const Frame *f)
{
	char *s = strndup(f->text, f->text_len);
	char **more = realloc(c->reply, (c->n_reply + 1) * sizeof *more);
	if (more)
		c->reply = more;
	if (!s || !more || c->n_reply == REPLIES_MAX) {
		free(s);
		return;
	}
	c->reply[c->n_reply++] = s;
}

static void take_hello(Client *c, const json_t *j)
{
	const char *name = json_string_value(json_object_get(j, "name"));
	c->pid = (int)json_integer_value(json_object_get(j, "pid"));
	Buf safe = BUF_INIT;
	safe_text(&safe, name ? name : "", name ? strlen(name) : 0, 0);
	snprintf(c->name, sizeof c->name, "%s", buf_str(&safe));
	buf_done(&safe);
}

/* False: the engine speaks a stream that this lathe does not. */
static bool take_text(Client *c, const Frame *f)
{
	bool ok = true;
	json_t *j = json_parse(f->text, f->text_len, "stream", E_3181, NULL);
	if (f->kind == FRAME_HELLO) {
		ok = json_integer_value(json_object_get(j, "stream")) == STREAM_VERSION;
		take_hello(c, j);
	} else if (f->kind == FRAME_DROPS) {
		c->drops = (uint64_t)json_integer_value(json_object_get(j, "total"));
	} else if (f->kind == FRAME_BYE) {
		const char *why = json_string_value(json_object_get(j, "reason"));
		Buf safe = BUF_INIT;
		safe_text(&safe, why ? why : "", why ? strlen(why) : 0, 0);
		snprintf(c->bye, sizeof c->bye, "the engine said: %.100s", buf_str(&safe));
		buf_done(&safe);
	}
	json_decref(j);
	return ok;
}

/* Takes whole frames from memory, `turn` bytes at most. */
static size_t take_frames(Client *c, Store *s, size_t *turn)
{
	size_t added = 0;
	Err e = { 0 };
	Frame f;
	long n = 0;
	while (*turn > 0 && (n = frame_take(buf_str(&c->in) + c->taken, c->in.len - c->taken, &f, &e)) > 0) {
		c->taken += (size_t)n;
		*turn -= (size_t)n < *turn ? (size_t)n : *turn;
		if (f.kind == FRAME_SAMPLE)
			added += store_add(s, &f.sample);
		else if (f.kind == FRAME_REPLY)
			take_reply(c, &f);
		else if (!take_text(c, &f))
			err_set(&e, E_3180, "the engine speaks another version of the stream");
		if (e.code)
			break;
	}
	c->more = n > 0 && !e.code;
	if (e.code)
		client_lost(c, e.text);
	return added;
}

static void in_compact(Client *c)
{
	if (c->taken == 0)
		return;
	memmove(c->in.s, c->in.s + c->taken, c->in.len - c->taken);
	c->in.len -= c->taken;
	c->taken = 0;
}

size_t client_read(Client *c, Store *s)
{
	size_t turn = READ_TURN, added = 0;
	client_flush(c);
	client_reap(c);
	while (c->fd >= 0) {
		added += take_frames(c, s, &turn);
		if (c->fd < 0 || turn == 0)
			break;
		in_compact(c);
		if (!buf_reserve(&c->in, READ_STEP)) {
			client_lost(c, "out of memory for the engine's samples");
			break;
		}
		ssize_t n = recv(c->fd, c->in.s + c->in.len, READ_STEP, MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		if (n <= 0) {
			client_lost(c, "the engine has ended");
			break;
		}
		c->in.len += (size_t)n;
	}
	return added;
}

static void reply_parse(ClientReply *out)
{
	json_t *j = json_parse(out->json, strlen(out->json), "reply", E_3181, NULL);
	const char *error = json_string_value(json_object_get(j, "error"));
	out->id = json_integer_value(json_object_get(j, "id"));
	out->ok = json_is_true(json_object_get(j, "ok"));
	out->code = (int)json_integer_value(json_object_get(j, "code"));
	snprintf(out->error, sizeof out->error, "%s",
		error     ? error
		: out->ok ? ""
			  : "the engine's reply cannot be read");
	json_decref(j);
}

bool client_reply(Client *c, ClientReply *out)
{
	if (c->n_reply == 0)
		return false;
	free(c->reply_shown);
	c->reply_shown = c->reply[0];
	memmove(c->reply, c->reply + 1, --c->n_reply * sizeof *c->reply);
	*out = (ClientReply){ .json = c->reply_shown };
	reply_parse(out);
	return true;
}

static double time_left(double until)
{
	double left = until - clock_now();
	return left > 0 ? left : 0;
}

void client_end(Client *c, double seconds)
{
	double until = clock_now() + seconds;
	Store *sink = store_new(1 << 20);
	client_send(c, "{\"cmd\":\"quit\"}");
	while (sink && c->fd >= 0 && time_left(until) > 0) {
		struct pollfd p = { .fd = c->fd,
			.events = (short)(POLLIN | (client_wants_write(c) ? POLLOUT : 0)) };
		poll(&p, 1, (int)(time_left(until) * 1000) + 1);
		client_read(c, sink);
	}
	store_free(sink);
	client_drop(c);
	client_reap(c);
	while (c->child && time_left(until) > 0) {
		poll(NULL, 0, 5);
		client_reap(c);
	}
	if (c->child) {
		kill(c->child, SIGKILL);
		waitpid(c->child, NULL, 0);
		c->child = 0;
	}
}
