/* trace.h - what the engine works out about a whole text when somebody asks: which layer decided each token (lens.c), how far another
 * model, precision or prompt is from it (diff_tell.c), and the tree of its branches (tree.c). Topics: lathe-probes(7). */
#ifndef ENGINE_TRACE_H
#define ENGINE_TRACE_H
#include "engine/jobs.h"

/* Publishes lens.top and lens.p of the first 512 tokens of the text. */
bool lens_run(Jobs *j, Err *e);
double lens_work(const Jobs *j);          /* multiplications */

/* Publishes diff.* of the first 256 tokens of the text, as the last `compare` asked; at first: native against bf16. */
bool diff_run(Jobs *j, Err *e);
double diff_work(const Jobs *j);
/* What to compare with: one of precision ("native", "bf16"), form ("naive", "absorbed"), the path of another checkpoint, another text. */
typedef struct DiffAsk { char *precision, *form, *path, *text; } DiffAsk;
void diff_ask_done(DiffAsk *a);

/* Publishes fp8.*: what a precision recipe does to the first 256 tokens of the text and to each product (fp8_tell.c). asked: it may
 * take its time. */
bool fp8_run(Jobs *j, bool asked, Err *e);
double fp8_work(const Jobs *j);
/* Which recipe: by name, or so many further in the table; NULL and 0: as it is, fp8-v3 at first. */
bool fp8_choose(Jobs *j, const char *recipe, int64_t by, Err *e);

/* The text of one token under this key; without a tokenizer its id in brackets. */
void trace_put_token(Jout *o, const LatheModel *m, const char *key, int32_t id);

/* The text has come to rest: tells what is watched of all this, unless it would be noticed. */
void trace_idle(Jobs *j);

/* --- branches --- */
void tree_done(Jobs *j);
/* A new text from nothing: the tree begins anew with it. */
void tree_begin(Jobs *j);
void tree_token(Jobs *j, const LatheToken *t);   /* one that was chosen */
void tree_tell(Jobs *j);
/* The text of run `run` (0: the present one) up to position pos, then token id, and n tokens more: a new text, and a leaf of the tree. */
bool tree_branch(Jobs *j, int64_t run, int64_t pos, int64_t id, int64_t n, Err *e);
#endif
