/* tree.c - the texts that were branched from one prompt: where each left which other, with which token, and how it went on. The tree is
 * told as one JSON text, and outlives the texts in it, so a screen can show any branch of a recording. */
#include "engine/engine.h"
#include "engine/trace.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TREE_NODES = 64, TREE_TEXT = 2048 /* bytes of a branch's own text that are told */ };

typedef struct Branch {
	int64_t run, parent;       /* numbers of runs; parent 0: none */
	int64_t from;              /* position of its first own token */
	int32_t *ids;              /* the whole text, once another one has begun */
	int64_t n, chosen;         /* tokens in all, and those that the model chose */
	double logprob;            /* of those */
	const char *finish;
} Branch;
struct Tree { Branch node[TREE_NODES]; int n; };

void tree_done(Jobs *j)
{
	for (int i = 0; j->tree && i < j->tree->n; i++)
		free(j->tree->node[i].ids);
	free(j->tree);
	j->tree = NULL;
}

static Branch *tree_find(const Jobs *j, int64_t run)
{
	for (int i = 0; j->tree && i < j->tree->n; i++)
		if (j->tree->node[i].run == run)
			return &j->tree->node[i];
	return NULL;
}

void tree_begin(Jobs *j)
{
	tree_done(j);
	j->tree = calloc(1, sizeof *j->tree);
	if (j->tree)
		j->tree->node[j->tree->n++] = (Branch){ .run = j->run.number };
}

void tree_token(Jobs *j, const LatheToken *t)
{
	Branch *b = tree_find(j, j->run.number);
	if (!b)
		return;
	b->chosen++;
	b->logprob += t->logprob;
}

/* The present text as it is now. */
static bool tree_keep(Jobs *j, Err *e)
{
	Branch *b = tree_find(j, j->run.number);
	const int32_t *ids;
	size_t n = j->run.session ? lathe_session_text(j->run.session, &ids) : 0;
	if (!b || n == 0)
		return true;
	int32_t *copy = realloc(b->ids, sizeof *copy * n);
	if (!copy)
		return err_set(e, E_5001, "branch: out of memory");
	memcpy(copy, ids, sizeof *copy * n);
	b->ids = copy;
	b->n = (int64_t)n;
	b->finish = j->run.finish;
	return true;
}

static void token_text(const LatheModel *m, int32_t id, Buf *out)
{
	size_t len = 0;
	char *s = lathe_token_bytes(m, id, &len);
	if (s)
		buf_add(out, s, len);
	else
		buf_printf(out, "[%d]", (int)id);
	free(s);
}

void trace_put_token(Jout *o, const LatheModel *m, const char *key, int32_t id)
{
	Buf b = BUF_INIT;
	publish_alone(m, id, &b);
	jout_key(o, key);
	jout_strn(o, buf_str(&b), b.len);
	buf_done(&b);
}

static void put_text(Jout *o, const LatheModel *m, const char *key, const int32_t *ids, int64_t n)
{
	Buf b = BUF_INIT;
	for (int64_t i = 0; i < n && b.len < TREE_TEXT; i++)
		token_text(m, ids[i], &b);
	jout_key(o, key);
	jout_strn(o, buf_str(&b), b.len);
	buf_done(&b);
}

static void put_branch(Jout *o, const Jobs *j, const Branch *b)
{
	jout_obj(o);
	jout_kint(o, "run", b->run);
	jout_kint(o, "parent", b->parent);
	jout_kint(o, "from", b->from);
	jout_kint(o, "tokens", b->n);
	jout_kint(o, "chosen", b->chosen);
	jout_knum(o, "logprob", b->logprob);
	jout_key(o, "finish");
	if (b->finish)
		jout_str(o, b->finish);
	else
		jout_null(o);
	put_text(o, j->model, "text", b->ids + b->from, b->n > b->from ? b->n - b->from : 0);
	jout_end_obj(o);
}

void tree_tell(Jobs *j)
{
	Buf b = BUF_INIT;
	Jout o;
	Err e = { 0 };
	if (!j->tree || !j->model || !tree_keep(j, &e))
		return;
	jout_init(&o, &b);
	jout_obj(&o);
	jout_kint(&o, "now", j->run.number);
	jout_key(&o, "branches");
	jout_arr(&o);
	for (int i = 0; i < j->tree->n; i++)
		if (j->tree->node[i].ids)
			put_branch(&o, j, &j->tree->node[i]);
	jout_end_arr(&o);
	jout_end_obj(&o);
	publish_text(&j->publish, "engine.tree", (uint64_t)j->run.number, &b);
	buf_done(&b);
}

bool tree_branch(Jobs *j, int64_t run, int64_t pos, int64_t id, int64_t n, Err *e)
{
	if (!tree_keep(j, e))
		return false;
	Branch *b = tree_find(j, run ? run : j->run.number);
	if (!b || !b->ids)
		return err_set(e, E_9002, "branch: the text of run %lld is not kept; branch from one of the tree", (long long)run);
	if (pos < 1 || pos > b->n)
		return err_set(e, E_2003, "branch: position %lld is not in the text, which has 1 to %lld", (long long)pos, (long long)b->n);
	if (j->tree->n == TREE_NODES)
		return err_set(e, E_5003, "branch: the tree has %d texts already; a new prompt begins another", TREE_NODES);
	int32_t *ids = malloc(sizeof *ids * (size_t)(pos + 1));
	if (!ids)
		return err_set(e, E_5001, "branch: out of memory");
	memcpy(ids, b->ids, sizeof *ids * (size_t)pos);
	ids[pos] = (int32_t)id;
	RunOptions o = j->defaults;
	int64_t parent = b->run;
	o.n = n;
	bool ok = run_begin(j, ids, (size_t)pos + 1, &o, e);
	if (ok)
		j->tree->node[j->tree->n++] = (Branch){ .run = j->run.number, .parent = parent, .from = pos };
	free(ids);
	return ok;
}

void trace_idle(Jobs *j)
{
	static const double unnoticed = 1e10;
	Err e = { 0 };
	if (!j->run.session || !j->model)
		return;
	tree_tell(j);
	if ((hooks_want(j->hooks, "lens.p") || hooks_want(j->hooks, "lens.top")) && lens_work(j) < unnoticed)
		lens_run(j, &e);
	if (hooks_want(j->hooks, "diff.about") && diff_work(j) < unnoticed)
		diff_run(j, &e);
	if (hooks_want(j->hooks, "fp8.about") && fp8_work(j) < unnoticed)
		fp8_run(j, false, &e);
}
