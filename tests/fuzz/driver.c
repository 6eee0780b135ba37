/* driver.c - main() of a fuzz target where libFuzzer is not used. Input number K is, for every K, the same
 * bytes on every machine: first the seeds as they are, then the empty input, then mutations drawn from
 * Philox stream K. The inputs run in a child process, so that a crash or a hang is reported with its
 * number and its bytes are kept in a file.
 *
 *   fuzz_NAME [-n INPUTS] [-t SECONDS] [-k K] SEED-FILE-OR-FOLDER...
 *
 * -k runs the one input in this process, for a debugger. */
#include "fuzz.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/rng.h"
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SEED_MAX = 1 << 20, INPUT_MAX = 2 << 20, HANG_SECONDS = 20 };

typedef struct Seeds { Buf *all; size_t n; } Seeds;

static const char *const words[] = {
	"{", "}", "[", "]", "\"", ",", ":", "\\", "\\u0000", "\\ud800", "null", "true", "1e999", "-0",
	"9223372036854775808", "NaN", "{\"a\":1,\"a\":2}", "[[[[[[[[[[[[[[[[", "\x1b[2J", "\xc2\x9b",
	"\xe2\x80\xae", "\xef\xbb\xbf", "\xcc\x81\xcc\x81\xcc\x81", "\xf0\x9f\x98\x80", "\xed\xa0\x80", "\xff",
	"*", "**", "{a,b}", ".", "../", "/", "%n%s", "\r\n", " ", "\t", "__metadata__", "\"dtype\":\"F32\"",
	"\"shape\":[", "\"data_offsets\":[0,4]", "18446744073709551615", "-1", "0",
};

static const uint64_t numbers[] = {
	0, 1, 7, 8, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0xffff, 0x7fffffff, 0x80000000u, 0xffffffffu,
	UINT64_C(1) << 32, UINT64_C(1) << 53, INT64_MAX, UINT64_C(1) << 63, UINT64_MAX, UINT64_MAX - 7,
};

static void die(const char *what, const char *path)
{
	fprintf(stderr, "fuzz: %s %s\n", what, path);
	exit(2);
}

static void seed_add(Seeds *s, const char *path)
{
	Err e = { 0 };
	Buf *all = realloc(s->all, (s->n + 1) * sizeof *all);
	if (!all)
		die("out of memory at", path);
	s->all = all;
	s->all[s->n] = (Buf)BUF_INIT;
	if (!buf_read_file(&s->all[s->n++], path, SEED_MAX, &e))
		die("cannot read seed:", e.text);
}

static int visible(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

/* A folder's files in the order of their names, so that numbers mean the same everywhere. */
static void seeds_read(Seeds *s, const char *path)
{
	struct stat st;
	struct dirent **names;
	if (stat(path, &st) != 0)
		die("no such seed:", path);
	if (!S_ISDIR(st.st_mode)) {
		seed_add(s, path);
		return;
	}
	int n = scandir(path, &names, visible, alphasort);
	if (n < 0)
		die("cannot list", path);
	for (int i = 0; i < n; i++) {
		Buf b = BUF_INIT;
		buf_printf(&b, "%s/%s", path, names[i]->d_name);
		seed_add(s, buf_str(&b));
		buf_done(&b);
		free(names[i]);
	}
	free(names);
}

/* Puts n bytes in at `at`. */
static void bytes_insert(Buf *b, size_t at, const void *p, size_t n)
{
	if (b->len + n > INPUT_MAX || !buf_reserve(b, n))
		return;
	memmove(b->s + at + n, b->s + at, b->len - at);
	memcpy(b->s + at, p, n);
	b->len += n;
}

static void bytes_delete(Buf *b, size_t at, size_t n)
{
	memmove(b->s + at, b->s + at + n, b->len - at - n);
	b->len -= n;
}

/* A place in [0, n], now and then near one of the ends, where lengths and headers are. */
static size_t place_pick(Rng *r, size_t n)
{
	uint32_t m = n < UINT32_MAX ? (uint32_t)n + 1 : UINT32_MAX;
	uint32_t at = rng_below(r, m), near = rng_below(r, m < 16 ? m : 16);
	switch (rng_below(r, 8)) {
	case 0: return near;
	case 1: return n - near;
	default: return at;
	}
}

static void mutate_once(Buf *b, Rng *r, const Seeds *s)
{
	size_t at = place_pick(r, b->len), left = b->len - at;
	size_t n = left ? 1 + rng_below(r, left < 64 ? (uint32_t)left : 64) : 0;
	char random[16];
	const char *word = words[rng_below(r, sizeof words / sizeof words[0])];
	uint64_t number = numbers[rng_below(r, sizeof numbers / sizeof numbers[0])];
	uint64_t bits = rng_u64(r);
	switch (rng_below(r, 9)) {
	case 0: /* one bit */
		if (left)
			b->s[at] ^= (char)(1 << (bits & 7));
		break;
	case 1:
		if (left)
			b->s[at] = (char)bits;
		break;
	case 2: /* truncation */
		b->len = at;
		break;
	case 3:
		for (size_t i = 0; i < sizeof random; i++)
			random[i] = (char)rng_below(r, 256);
		bytes_insert(b, at, random, 1 + (bits & 15));
		break;
	case 4:
		bytes_insert(b, at, word, strlen(word));
		break;
	case 5: /* a little-endian number of 1, 2, 4 or 8 bytes over what was there */
		for (size_t i = 0; i < (size_t)1 << (bits & 3) && i < left; i++)
			b->s[at + i] = (char)(number >> (8 * i));
		break;
	case 6:
		bytes_delete(b, at, n);
		break;
	case 7: /* repeat a part */
		for (uint64_t i = bits & 7; i <= 7 && n && buf_reserve(b, n); i++)
			bytes_insert(b, at + n, b->s + at, n);
		break;
	default: /* go on with another seed */
		if (s->n) {
			const Buf *o = &s->all[bits % s->n];
			size_t from = place_pick(r, o->len);
			b->len = at;
			bytes_insert(b, at, buf_str(o) + from, o->len - from);
		}
	}
}

/* Input number k. */
static void input_make(Buf *b, uint64_t k, const Seeds *s)
{
	buf_clear(b);
	if (k < s->n) {
		buf_add(b, buf_str(&s->all[k]), s->all[k].len);
		return;
	}
	if (k == s->n)
		return;
	Rng r = rng_make(0x6c61746865, k);
	if (s->n)
		buf_add(b, buf_str(&s->all[k % s->n]), s->all[k % s->n].len);
	buf_reserve(b, 1);
	for (uint32_t i = 1 + rng_below(&r, 6); i > 0; i--)
		mutate_once(b, &r, s);
}

/* The bytes go into a block of their exact size: a read one past the end is then seen by the sanitizers. */
static void input_run(const Buf *b)
{
	uint8_t *p = malloc(b->len ? b->len : 1);
	if (!p)
		die("out of memory", "");
	memcpy(p, buf_str(b), b->len);
	LLVMFuzzerTestOneInput(p, b->len);
	free(p);
}

static void inputs_run(const Seeds *s, uint64_t count, double seconds, volatile uint64_t *at)
{
	Buf b = BUF_INIT;
	double end = clock_now() + seconds;
	for (*at = 0; *at < count && (*at <= s->n || clock_now() < end); ++*at) {
		input_make(&b, *at, s);
		input_run(&b);
	}
	buf_done(&b);
}

/* Waits for the child; kills it when one input takes longer than HANG_SECONDS. */
static int child_wait(pid_t pid, const volatile uint64_t *at, struct rusage *use, bool *hung)
{
	const struct timespec nap = { 0, 10000000 };
	uint64_t last = UINT64_MAX;
	double since = clock_now();
	int status = 0;
	while (wait4(pid, &status, WNOHANG, use) != pid) {
		if (*at != last) {
			last = *at;
			since = clock_now();
		} else if (clock_now() - since > HANG_SECONDS && !*hung) {
			*hung = true;
			kill(pid, SIGKILL);
		}
		nanosleep(&nap, NULL);
	}
	return status;
}

static void death_report(const char *name, const Seeds *s, uint64_t k, int status, bool hung)
{
	char path[256];
	Buf b = BUF_INIT;
	input_make(&b, k, s);
	snprintf(path, sizeof path, "%s-%llu.crash", name, (unsigned long long)k);
	FILE *f = fopen(path, "wb");
	if (f) {
		fwrite(buf_str(&b), 1, b.len, f);
		fclose(f);
	}
	printf("# input %llu (%zu bytes, kept in %s): %s %d; run again with -k %llu\n", (unsigned long long)k,
		b.len, path,
		hung ? "hangs, killed by" : WIFSIGNALED(status) ? "killed by signal" : "exit", WIFSIGNALED(status) ?
		WTERMSIG(status) : WEXITSTATUS(status), (unsigned long long)k);
	printf("not ok 1 - %s\n", name);
	buf_done(&b);
}

static int all_run(const char *name, const Seeds *s, uint64_t count, double seconds)
{
	struct rusage use = { 0 };
	bool hung = false;
	volatile uint64_t *at = mmap(NULL, sizeof *at, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (at == MAP_FAILED)
		die("no shared memory", "");
	printf("1..1\n");
	fflush(stdout);
	pid_t pid = fork();
	if (pid < 0)
		die("cannot fork", "");
	if (pid == 0) {
		inputs_run(s, count, seconds, at);
		exit(0); /* with the leak check of the sanitizers */
	}
	int status = child_wait(pid, at, &use, &hung);
	if (status != 0)
		death_report(name, s, *at, status, hung);
	else
		printf("ok 1 - %s: %llu inputs, %ld MiB\n", name, (unsigned long long)*at, use.ru_maxrss / 1024);
	return status != 0;
}

int main(int argc, char **argv)
{
	Seeds s = { NULL, 0 };
	uint64_t count = UINT64_MAX, only = UINT64_MAX;
	double seconds = 2;
	const char *slash = strrchr(argv[0], '/'), *name = slash ? slash + 1 : argv[0];
	int opt, status = 0;
	while ((opt = getopt(argc, argv, "n:t:k:")) != -1) {
		if (opt == 'n')
			count = strtoull(optarg, NULL, 10), seconds = 1e9;
		else if (opt == 't')
			seconds = strtod(optarg, NULL);
		else if (opt == 'k')
			only = strtoull(optarg, NULL, 10);
		else
			die("usage: [-n INPUTS] [-t SECONDS] [-k K]", "SEED...");
	}
	for (int i = optind; i < argc; i++)
		seeds_read(&s, argv[i]);
	if (only != UINT64_MAX) {
		Buf b = BUF_INIT;
		input_make(&b, only, &s);
		input_run(&b);
		buf_done(&b);
	} else {
		status = all_run(strncmp(name, "fuzz_", 5) == 0 ? name + 5 : name, &s, count, seconds);
	}
	for (size_t i = 0; i < s.n; i++)
		buf_done(&s.all[i]);
	free(s.all);
	return status;
}
