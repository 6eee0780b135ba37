/* facts.h - what the JSON topics say, parsed once per change: the model's card, the tokens, the
 * statistics, the engine's state. Scenes ask this instead of the Store, so that a frame parses nothing. */
#ifndef VIEW_FACTS_H
#define VIEW_FACTS_H
#include "probe/store.h"
#include "view/facts_trace.h"

enum { FACTS_KNOWN = 24, FACTS_DTYPES = 6, FACTS_ACCEPT = 8, FACTS_ALTS = 32, FACTS_SETTINGS = 64 };
typedef enum TokDraft { TOK_NOT_DRAFTED, TOK_ACCEPTED, TOK_REJECTED } TokDraft;

typedef struct TokAlt { int64_t id; char *text; double p; } TokAlt;   /* text: safe already; LF kept */
typedef struct FactToken {
	int64_t pos, id;
	char *text;                /* safe for any sink; LF kept */
	size_t len;
	bool plain;                /* one column per byte, no LF */
	bool given;
	double logprob, entropy;   /* NaN: not computed */
	int n_alt;
	TokAlt *alt;
	TokDraft draft;
	char *alone;               /* by itself, when that is another: <E4> for a byte of a character; else NULL */
	char *drafted;             /* text of a refused draft, LF kept, or NULL */
} FactToken;

typedef struct KvElements { int64_t mla, mha, gqa8, mqa, own; } KvElements;
typedef struct FactKnown { char name[40]; int64_t kv; } FactKnown;
typedef struct FactCard {
	bool have, softmax;        /* softmax: V2 gate; else sigmoid */
	char name[64], type[32], attention[48]; /* mla, mha, gqa, mqa, or a script's */
	int64_t layers, hidden, heads, vocab, experts, per_token, n_group, topk_group, shared, first_dense;
	int64_t q_rank, kv_rank, key_heads, nope, rope, v, total, active, bytes, mtp, context, memory;
	KvElements kv;
	int n_dtypes;
	struct { char name[12]; int64_t n; } dtype[FACTS_DTYPES];
	int n_known;
	FactKnown known[FACTS_KNOWN];
} FactCard;

typedef struct FactStats {
	bool have;
	int64_t prompt, generated, drafted, accepted, forwards, kv_bytes, kv_allocated, rss;
	double prefill, decode, seconds;
	int n_accept;
	int64_t accept[FACTS_ACCEPT];
} FactStats;

/* gen.run: how the text is made; engine.forms: naive against absorbed attention on it. */
typedef struct FactRun { bool have; int64_t number; double temperature; char attention[12]; } FactRun;
enum { FACTS_FORM_LAYERS = 128 };
typedef struct FactForms { bool have; int64_t tokens, flipped; double logits, kl, layer[FACTS_FORM_LAYERS]; int n_layers; } FactForms;

/* train.*: a training run. A setting is `changed` when it is not what it was at the first step that is kept. */
typedef struct FactTrain { bool have; double rate; } FactTrain;
/* The held-out tokens that train.gate.N is about; begins: of a text of its own. */
enum { FACTS_HELD = 96 };
typedef struct FactHeld { char text[24]; bool begins; } FactHeld;
typedef struct FactSetting { char name[24], value[24]; bool changed; } FactSetting;

typedef struct FactStatus {
	bool have;
	char state[24], message[256], path[256], recording[256], finish[16];
	double progress; /* NaN: none */
} FactStatus;

typedef struct Facts {
	FactCard card;
	FactStats stats;
	FactStatus status;
	FactRun run;
	FactForms forms;
	FactTrain train;
	FactSetting setting[FACTS_SETTINGS];
	int n_settings;
	FactHeld held[FACTS_HELD];
	int n_held;
	FactTrace trace;
	FactToken *tok;            /* in order of position */
	size_t n_tok, cap_tok;
	double *speed;             /* decode tokens per second, one per gen.stats sample */
	size_t n_speed, cap_speed;
	/* what was read, to go on from there */
	uint64_t version;
	double seek;
	size_t seen_tok, seen_speed;
	double first_time, first_speed, card_time, status_time, run_time, forms_time, settings_time, held_time;
	bool fresh;
} Facts;

void facts_init(Facts *f);
void facts_done(Facts *f);
/* Brings f up to the store; true when anything changed. Malformed JSON leaves the facts as they were. */
bool facts_update(Facts *f, const Store *s);
/* Index of the token at this position, or -1. */
int64_t facts_find(const Facts *f, int64_t pos);
bool facts_busy(const Facts *f);               /* loading or generating */
bool facts_training(const Facts *f);           /* a training run, going on or paused */
#endif
