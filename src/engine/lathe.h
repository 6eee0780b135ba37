/* lathe.h - the library: open a DeepSeek-style checkpoint, run it, look inside, change what it computes.
 *
 * Link with liblathe (pkg-config lathe). All functions are for one thread per LatheModel; a model's own
 * pool uses the threads asked for. Errors are one line in a LatheError; the code's thousands are the exit
 * status of the program. Layers, experts, tokens and positions count from 0, as in the papers and in
 * checkpoint names. */
#ifndef LATHE_H
#define LATHE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

typedef struct LatheError { int code; char text[512]; } LatheError;
typedef struct LatheModel LatheModel;
typedef struct LatheSession LatheSession;

typedef enum LatheAttention {
	LATHE_ATTENTION_AUTO,
	LATHE_ATTENTION_NAIVE,
	LATHE_ATTENTION_ABSORBED
} LatheAttention;
typedef enum LatheMtp { LATHE_MTP_AUTO, LATHE_MTP_ON, LATHE_MTP_OFF } LatheMtp;

typedef struct LatheOpenOptions {
	int threads;            /* 0: one per processor */
	int64_t layers;         /* 0: all; else only the first N */
	size_t memory_limit;    /* bytes, 0: none */
	/* NULL or "native": weights as stored, activations f32; "bf16": GEMM inputs rounded to bf16; "fp8-v3" and others: `lathe help fp8` */
	const char *precision;
} LatheOpenOptions;

/* path: a Hugging Face folder or a .safetensors file with config.json beside it. NULL and *e on failure. */
LatheModel *lathe_open(const char *path, const LatheOpenOptions *o, LatheError *e);
void lathe_close(LatheModel *m);
int64_t lathe_layers(const LatheModel *m);
int64_t lathe_vocab(const LatheModel *m);
bool lathe_has_mtp(const LatheModel *m);

/* Text (when a tokenizer lies beside the weights). *ids is malloc'd. */
bool lathe_encode(const LatheModel *m, const char *text, size_t n, bool add_bos, int32_t **ids, size_t *n_ids,
	LatheError *e);
/* malloc'd UTF-8; invalid parts are U+FFFD. */
char *lathe_decode(const LatheModel *m, const int32_t *ids, size_t n);
/* Whether a tokenizer.json lies beside the weights but cannot be used, and why: ids work, text does not. */
bool lathe_text_broken(const LatheModel *m, LatheError *why);
/* The bytes of one token as they are, malloc'd and NUL-terminated; they may be part of a character. NULL
 * without a tokenizer. */
char *lathe_token_bytes(const LatheModel *m, int32_t id, size_t *n);

typedef struct LatheSessionOptions {
	double temperature;     /* 0: greedy, ties to the lowest id */
	double top_p;           /* 0 or 1: off */
	double min_p;           /* 0: off */
	int top_k;              /* 0: off */
	uint64_t seed;
	LatheMtp mtp;
	LatheAttention attention; /* AUTO: naive for the prompt, absorbed for generated tokens */
	int chunk;              /* prompt tokens a forward, 0: 512 */
	int alternatives;       /* how many to report per token, 0..32 */
	const char *cache_dtype; /* "f32" (NULL), "bf16", or "fp8" with MLA; not copied: must live as long as the session */
	int64_t context;        /* positions to reserve, 0: grow as needed */
	bool ignore_eos;
} LatheSessionOptions;

enum { LATHE_ALTERNATIVES_MAX = 32 };
typedef enum LatheDraft { LATHE_NOT_DRAFTED, LATHE_DRAFT_ACCEPTED, LATHE_DRAFT_REJECTED } LatheDraft;
typedef struct LatheToken {
	int32_t id;
	int64_t position;
	double logprob;         /* of id under the model at temperature 1, natural log */
	double entropy;         /* of that distribution, nat */
	int n_alternatives;
	int32_t alternative[LATHE_ALTERNATIVES_MAX];      /* most probable first */
	float alternative_logprob[LATHE_ALTERNATIVES_MAX];
	/* ACCEPTED: this token was drafted by MTP; REJECTED: drafted_id was refused in its favour */
	LatheDraft draft;
	int32_t drafted_id;     /* -1: none */
} LatheToken;

typedef struct LatheStats {
	int64_t prompt_tokens, generated, drafted, accepted, forwards;
	double prefill_seconds, decode_seconds;
	int64_t kv_bytes, kv_allocated;   /* used by tokens so far; reserved */
} LatheStats;

LatheSession *lathe_session_new(LatheModel *m, const LatheSessionOptions *o, LatheError *e);
void lathe_session_free(LatheSession *s);
/* Adds prompt tokens (prefill). May be called again later to go on with given text. */
bool lathe_session_feed(LatheSession *s, const int32_t *ids, size_t n, LatheError *e);
/* 1: *t is the next token; 0: the text has ended (eos was given out by the call before, or the context is
 * full); -1: *e. */
int lathe_session_next(LatheSession *s, LatheToken *t, LatheError *e);
/* The tokens of the text so far, given and chosen; valid until the next call that changes it. */
size_t lathe_session_text(const LatheSession *s, const int32_t **ids);
/* The text so far ends in an end-of-sentence token. */
bool lathe_session_at_eos(const LatheSession *s);
void lathe_session_stats(const LatheSession *s, LatheStats *out);
/* Log-probabilities and alternatives of given tokens: same record for a prompt position >= 1; false when
 * not kept. */
bool lathe_session_prompt_token(const LatheSession *s, int64_t position, LatheToken *t);
/* Changes while running; take effect with the next token. */
bool lathe_session_set_attention(LatheSession *s, LatheAttention a);
bool lathe_session_set_sampling(LatheSession *s, double temperature, double top_p, int top_k, double min_p);

/* --- several texts side by side, their next tokens from one forward --- */
typedef struct LatheBatchText { const int32_t *ids; size_t n; int64_t max_tokens; } LatheBatchText;
/* Told once per new token, in the order of the texts within each step. eos: it is an end-of-sentence
 * token. */
typedef void (*LatheBatchFn)(int text, const LatheToken *t, bool eos, void *ud);
/* Text i uses seed o->seed + i and gets the tokens that a session of that seed would give it (MTP is not
 * used). */
bool lathe_batch(LatheModel *m, const LatheSessionOptions *o, const LatheBatchText *text, int n,
	LatheBatchFn fn, void *ud, LatheError *e);

/* --- probes: every named value, as it is computed. See lathe-probes(7). --- */
typedef struct LatheProbe {
	const char *name;       /* "layers.3.moe.weights" */
	const float *data;      /* row-major, real values; NULL for integer probes */
	const int32_t *ints;    /* integer probes (topk, group); else NULL */
	int rank;
	int64_t shape[4];
	int64_t position;       /* of the first row, for per-token probes */
} LatheProbe;
typedef void (*LatheProbeFn)(const LatheProbe *p, void *ud);
/* Calls fn for each value whose name matches ("layers.*.moe.topk"). Returns an id, or 0. */
int lathe_watch(LatheModel *m, const char *pattern, LatheProbeFn fn, void *ud);
/* fn may write new values of the same shape into out (already filled with the old ones) and return true to
 * put them in place. Float probes only. */
typedef bool (*LatheReplaceFn)(const LatheProbe *p, float *out, void *ud);
int lathe_replace(LatheModel *m, const char *pattern, LatheReplaceFn fn, void *ud);
void lathe_unwatch(LatheModel *m, int id);

const char *lathe_version(void);
#ifdef __cplusplus
}
#endif
#endif
