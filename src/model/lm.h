/* lm.h - the language model: embedding, blocks, final norm, head, and the MTP modules behind it. Weights
 * are views of the mapped checkpoint (norms and biases, a few thousand numbers, are copied to real). */
#ifndef MODEL_LM_H
#define MODEL_LM_H
#include "model/config.h"
#include "model/kv.h"
#include "tensor/ckpt.h"

/* --- attention and router from outside --- */
struct Run;
/* A weight that every layer has, under "model.layers.N." + name: "self_attn.gate.weight". A vector begins at 0, with `ones` at 1; a
 * vector whose name ends in e_score_correction_bias is the router's bias, which has no gradient. */
typedef struct PartWeight { const char *name; int rank; int64_t shape[2]; bool ones; } PartWeight;
/* w: the layer's weights in the order of `weight`. The result is [T,h], as h is; NULL: the tape has failed. Keys are the rows of r's
 * sequences; r->kv is NULL always: for generation the module's inputs are kept, and it computes the whole text anew. */
typedef struct AttnPart {
	const char *name;       /* config_name_valid; "lathe_attention" of checkpoints */
	int n;
	const PartWeight *weight;
	void *ud;
	Ten *(*forward)(void *ud, Tape *t, const struct Run *r, int layer, Ten *const *w, Ten *h);
} AttnPart;
/* The router: weights [T,K] and topk I32 [T,K] (ids of experts) from h. It gives what the balance losses read, the scores [T,E], their
 * name by tape_name(t, "scores", ...). False: the tape has failed. */
typedef struct GatePart {
	const char *name;       /* "lathe_router" */
	int n;
	const PartWeight *weight;
	void *ud;
	bool (*forward)(void *ud, Tape *t, const struct Run *r, int layer, Ten *const *w, Ten *h, Ten **weights, Ten **topk);
} GatePart;
/* NULL: the one that the config names. They must live as long as the model. */
typedef struct LmParts { const AttnPart *attn; const GatePart *gate; } LmParts;

/* --- parts; symbols as in the reports --- */
typedef enum AttnForm { FORM_NAIVE, FORM_ABSORBED } AttnForm;

typedef struct Attn {
	AttnKind kind;
	int H, G;                 /* query heads, key heads */
	int d_n, d_r, d_v, r;     /* un-rotated, rotated, value width of a head; KV latent (MLA) */
	double scale;
	Ten *W_Q;                 /* without query latent (MLA), and in GQA: [H*(d_n+d_r), h] */
	Ten *W_DQ, *b_DQ, *g_Q, *W_UQ;
	Ten *W_DKV, *b_DKV, *g_KV;/* [r+d_r, h]: W_DKV over W_KR */
	Ten *W_UKV;               /* [H*(d_n+d_v), r] */
	Ten *W_K, *W_V;           /* GQA: [G*(d_n+d_r), h], [G*d_v, h] */
	Ten *W_O, *b_O;           /* [h, H*d_v] */
	const AttnPart *part;     /* OWN */
	Ten **own;                /* its weights */
	int h;
} Attn;

typedef struct Mlp { Ten *W_gate, *W_up, *W_down; } Mlp;
typedef struct Moe {
	Ten *W_g, *bias /* [1,E] or NULL */;
	RouteRule rule;
	bool softmax;
	Ten **W_gate, **W_up, **W_down;
	Mlp shared;
	bool has_shared;
	const GatePart *part;     /* NULL: W_g and rule are the router */
	Ten **own;
} Moe;
typedef struct Block {
	int index;
	Ten *g_attn, *g_mlp;
	double eps;
	Attn attn;
	bool is_moe;
	Mlp mlp;
	Moe moe;
} Block;
typedef struct Mtp { Ten *g_emb, *g_hid, *W_eh, *g_head; Block block; } Mtp;

typedef struct Lm {
	Config c;
	Ckpt *ckpt;               /* NULL for random weights */
	Arena *perm;
	int n_layers, n_mtp;      /* loaded */
	Ten *W_E, *g_final, *W_head;
	Block *block;
	Mtp *mtp;
	RopeTable rope;
	real *rope_memory;
	int64_t weight_bytes;     /* of the tensors in use */
} Lm;

typedef struct LmOptions {
	int64_t layers /* 0 all */;
	size_t memory_limit /* 0 none */;
	bool no_mtp;
	const LmParts *parts;    /* NULL: all as the config says */
} LmOptions;

Lm *lm_open(const char *path, const LmOptions *o, Err *e);
/* Random weights of a config, for benches and tests. */
Lm *lm_random(const Config *c, Dtype dtype, uint64_t seed, Err *e);
void lm_free(Lm *m);
/* Bytes that running will hold: weights + cache for `context` positions in `slots` sequences + working
 * memory. */
typedef struct LmForecast { int64_t weights, cache, work; } LmForecast;
LmForecast lm_forecast(const Lm *m, int64_t context, int slots, Dtype cache);
/* Cache for the main layers and the MTP layers behind them. */
Kv *lm_kv(const Lm *m, int slots, int64_t reserve, Dtype dtype, Err *e);
/* Tables for positions [0, n); the forwards below call it as needed. */
bool lm_rope_reserve(Lm *m, int64_t n, Err *e);

/* --- one forward --- */
typedef struct Batch {
	int T;                    /* rows in all */
	const int32_t *id;        /* [T] */
	const int32_t *pos;       /* [T] position in the sequence */
	int n_seq;
	const Seq *seq;           /* row0, rows of each sequence; key0, keys are filled in per layer */
	const int *slot;          /* cache slot of each sequence; NULL without cache */
} Batch;

typedef struct Run {
	Lm *m;
	/* NULL: no cache (training, verify in one piece): keys are the rows themselves */
	Kv *kv;
	const Batch *b;
	AttnForm form;
} Run;

/* Post-final-norm hidden states [T,h] ("final"). NULL when the tape fails. */
Ten *lm_hidden(Tape *t, const Run *r);
/* Logits of the n rows in rows_wanted (NULL: all). [n, V] ("logits") */
Ten *lm_logits(Tape *t, const Run *r, Ten *final, const int32_t *rows_wanted, int64_t n);
/* MTP module j over pairs: hid [T,h] rows and the tokens in b->id that follow them (t_{i+1+j}); pair i
 * sits at cache position b->pos[i]. Returns the output after shared_head.norm [T,h]; logits by mtp_logits. */
Ten *mtp_hidden(Tape *t, const Run *r, int j, Ten *hid);
Ten *mtp_logits(Tape *t, const Run *r, int j, Ten *out, const int32_t *rows_wanted, int64_t n);

/* parts, each in its file */
Ten *attn_forward(Tape *t, const Run *r, const Attn *a, int layer, Ten *h);
Ten *moe_forward(Tape *t, const Run *r, const Moe *m, int layer, Ten *h);
Ten *mlp_forward(Tape *t, const Mlp *m, Ten *h);
Ten *block_forward(Tape *t, const Run *r, const Block *b, Ten *x);
KvShape attn_kv_shape(const Attn *a);
#endif
