/* fake_lathe.c - see fake_lathe.h. */
#include "tests/engine/fake_lathe.h"
#include "base/glob.h"
#include "engine/latent.h"
#include "engine/lathe.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { HOOKS = 64, BIG = 65536 };
struct LatheModel {
	char path[64];
	struct { int id; char pattern[64]; LatheProbeFn fn; void *ud; } hook[HOOKS];
	int next_hook;
	float *big;
};
struct LatheSession {
	LatheModel *m;
	int64_t pos, given, made;
};
static int hooks_now;

int fake_hooks(void)
{
	return hooks_now;
}

/* Touches a page behind the end of a mapped file. */
static void fault(void)
{
	FILE *f = tmpfile();
	const volatile char *p = f ? mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fileno(f), 0) : MAP_FAILED;
	if (p == MAP_FAILED || *p == 0)
		exit(99);
}

static void nap(long ms)
{
	nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
}

const char *lathe_version(void)
{
	return "0-fake";
}

LatheModel *lathe_open(const char *path, const LatheOpenOptions *o, LatheError *e)
{
	(void)o;
	if (strstr(path, "missing")) {
		e->code = 4001;
		snprintf(e->text, sizeof e->text, "%s: no such model", path);
		return NULL;
	}
	if (strstr(path, "sleepy"))
		nap(1000);
	LatheModel *m = calloc(1, sizeof *m);
	snprintf(m->path, sizeof m->path, "%s", path);
	m->big = calloc(BIG, sizeof *m->big);
	return m;
}

void lathe_close(LatheModel *m)
{
	if (!m)
		return;
	for (int i = 0; i < HOOKS; i++)
		hooks_now -= m->hook[i].id != 0;
	free(m->big);
	free(m);
}

int64_t lathe_layers(const LatheModel *m) { return m ? 2 : 0; }
int64_t lathe_vocab(const LatheModel *m) { return m ? FAKE_VOCAB : 0; }
bool lathe_has_mtp(const LatheModel *m) { return m && false; }

bool lathe_encode(const LatheModel *m, const char *text, size_t n, bool add_bos, int32_t **ids, size_t *n_ids,
	LatheError *e)
{
	(void)m, (void)e, (void)add_bos;
	*ids = malloc((n + 1) * sizeof **ids);
	for (size_t i = 0; i < n; i++)
		(*ids)[i] = (unsigned char)text[i];
	*n_ids = n;
	return true;
}

char *lathe_token_bytes(const LatheModel *m, int32_t id, size_t *n)
{
	(void)m;
	char *s = malloc(2);
	s[0] = (char)id;
	s[1] = '\0';
	*n = 1;
	return s;
}

/* Letters as they are, the rest as U+FFFD: nobody asks for more than one token. */
char *lathe_decode(const LatheModel *m, const int32_t *ids, size_t n)
{
	(void)m;
	char *s = malloc(3 * n + 1), *p = s;
	for (size_t i = 0; i < n; i++) {
		if (ids[i] < 0x80) {
			*p++ = (char)ids[i];
			continue;
		}
		memcpy(p, "\xef\xbf\xbd", 3);
		p += 3;
	}
	*p = '\0';
	return s;
}

bool lathe_session_at_eos(const LatheSession *s)
{
	return s->made == FAKE_END;
}

LatheSession *lathe_session_new(LatheModel *m, const LatheSessionOptions *o, LatheError *e)
{
	(void)o, (void)e;
	LatheSession *s = calloc(1, sizeof *s);
	s->m = m;
	return s;
}

void lathe_session_free(LatheSession *s)
{
	free(s);
}

static void fire(const LatheSession *s, const LatheProbe *p)
{
	const LatheModel *m = s->m;
	for (int i = 0; i < HOOKS; i++)
		if (m->hook[i].id && glob_match(m->hook[i].pattern, p->name))
			m->hook[i].fn(p, m->hook[i].ud);
}

static void probes(const LatheSession *s, int64_t rows)
{
	int32_t topk[2 * 16] = { 0 };
	float scores[8 * 16] = { 0 };
	if (rows > 16)
		rows = 16;
	for (int64_t i = 0; i < rows; i++) {
		topk[2 * i] = (int32_t)(s->pos + i) % 8;
		scores[8 * i] = (float)(s->pos + i);
	}
	fire(s, &(LatheProbe){ "layers.0.moe.topk", NULL, topk, 2, { rows, 2 }, s->pos });
	fire(s, &(LatheProbe){ "layers.0.moe.scores", scores, NULL, 2, { rows, 8 }, s->pos });
	fire(s, &(LatheProbe){ "big", s->m->big, NULL, 2, { 1, BIG }, s->pos });
	fire(s, &(LatheProbe){ "huge", s->m->big, NULL, 2, { 1, 1 << 30 }, s->pos });
}

bool lathe_session_feed(LatheSession *s, const int32_t *ids, size_t n, LatheError *e)
{
	(void)ids, (void)e;
	probes(s, (int64_t)n);
	s->pos += (int64_t)n;
	s->given += (int64_t)n;
	return true;
}

int lathe_session_next(LatheSession *s, LatheToken *t, LatheError *e)
{
	if (s->made == FAKE_END && !strstr(s->m->path, "endless"))
		return 0;
	if (s->made == 4 && strstr(s->m->path, "abort"))
		abort();
	if (s->made == 4 && strstr(s->m->path, "cut"))
		fault();
	if (s->made == 4 && strstr(s->m->path, "fail")) {
		e->code = 6001;
		snprintf(e->text, sizeof e->text, "logits: not a number");
		return -1;
	}
	if (strstr(s->m->path, "slow"))
		nap(5);
	probes(s, 1);
	*t = (LatheToken){ .id = 'a' + (int32_t)(s->made % 26),
		.position = s->pos++,
		.logprob = -0.5,
		.entropy = 1,
		.n_alternatives = 2,
		.alternative = { 'a', 'b' },
		.alternative_logprob = { -0.5f, -1 },
		.draft = (LatheDraft)(s->made % 3),
		.drafted_id = 'z' };
	s->made++;
	return 1;
}

void lathe_session_stats(const LatheSession *s, LatheStats *out)
{
	*out = (LatheStats){ .prompt_tokens = s->given,
		.generated = s->made,
		.prefill_seconds = 0.5,
		.decode_seconds = 1,
		.kv_bytes = s->pos * 100,
		.kv_allocated = 100000,
		.forwards = s->made };
}

bool lathe_session_prompt_token(const LatheSession *s, int64_t position, LatheToken *t)
{
	(void)s;
	*t = (LatheToken){ .position = position, .logprob = -2, .entropy = 3 };
	return position >= 1;
}

bool lathe_session_set_attention(LatheSession *s, LatheAttention a)
{
	return s && a >= LATHE_ATTENTION_AUTO;
}

bool lathe_session_set_sampling(LatheSession *s, double temperature, double top_p, int top_k, double min_p)
{
	return s && temperature >= 0 && top_p >= 0 && top_k >= 0 && min_p >= 0;
}

int lathe_watch(LatheModel *m, const char *pattern, LatheProbeFn fn, void *ud)
{
	for (int i = 0; i < HOOKS; i++)
		if (!m->hook[i].id) {
			m->hook[i].id = ++m->next_hook;
			m->hook[i].fn = fn;
			m->hook[i].ud = ud;
			snprintf(m->hook[i].pattern, sizeof m->hook[i].pattern, "%s", pattern);
			hooks_now++;
			return m->hook[i].id;
		}
	return 0;
}

int lathe_replace(LatheModel *m, const char *pattern, LatheReplaceFn fn, void *ud)
{
	(void)m, (void)pattern, (void)fn, (void)ud;
	return 0;
}

void lathe_unwatch(LatheModel *m, int id)
{
	for (int i = 0; i < HOOKS; i++)
		if (id && m->hook[i].id == id) {
			m->hook[i].id = 0;
			hooks_now--;
		}
}

/* Nothing in a fake text to look at. */
double latent_work(const LatheSession *s, int layer)
{
	(void)s, (void)layer;
	return 0;
}

bool latent_report(const LatheSession *s, int layer, LatentReport *out, Err *e)
{
	(void)s, (void)out;
	return err_set(e, E_9002, "layer %d has no latent to look at", layer);
}

void latent_done(LatentReport *r)
{
	(void)r;
}

size_t lathe_session_text(const LatheSession *s, const int32_t **ids)
{
	(void)s;
	*ids = NULL;
	return 0;
}
