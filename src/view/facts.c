/* facts.c - parses the JSON topics of the engine into plain structs. Everything here came over a socket or
 * from a file: every field may be missing or of another type, every text goes through safe_text before it
 * is kept. */
#include "view/facts.h"
#include "base/json.h"
#include "base/utf8.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t get_int(const json_t *o, const char *k, int64_t fallback)
{
	const json_t *v = json_object_get(o, k);
	return json_is_integer(v) ? json_integer_value(v)
		: json_is_real(v) ? (int64_t)fmin(fmax(json_real_value(v), -9e18), 9e18)
				  : fallback;
}

static double get_num(const json_t *o, const char *k)
{
	const json_t *v = json_object_get(o, k);
	return json_is_number(v) ? json_number_value(v) : NAN;
}

static char *safe_dup(const json_t *v, unsigned flags, size_t *len)
{
	Buf b = BUF_INIT;
	if (json_is_string(v))
		safe_text(&b, json_string_value(v), json_string_length(v), flags);
	else
		buf_adds(&b, "");
	if (len)
		*len = b.len;
	char *s = buf_take(&b);
	return s ? s : calloc(1, 1);
}

static void get_text(const json_t *o, const char *k, char *out, size_t n)
{
	char *s = safe_dup(json_object_get(o, k), 0, NULL);
	size_t len = s ? strlen(s) : 0;
	if (len >= n)
		len = n - 1 - utf8_tail(s, n - 1);
	if (s)
		memcpy(out, s, len);
	out[len] = 0;
	free(s);
}

/* Tokens may be the byte 0, which our JSON reader refuses in strings: it is read as the sign for it,
 * U+2400. */
static json_t *json_without_nul(const char *s, size_t n, const char *where)
{
	static const char nul[] = "\\u0000";
	Buf b = BUF_INIT;
	Err e = { 0 };
	for (size_t i = 0; i < n;) {
		bool hit = n - i >= 6 && memcmp(s + i, nul, 6) == 0;
		size_t take = hit ? 6 : s[i] == '\\' && i + 1 < n ? 2 : 1;
		buf_add(&b, hit ? "\\u2400" : s + i, take);
		i += take;
	}
	json_t *o = json_parse(buf_str(&b), b.len, where, E_3181, &e);
	buf_done(&b);
	return o;
}

static json_t *sample_json(const Sample *x)
{
	Err e = { 0 };
	if (!x || x->kind != SAMPLE_TEXT)
		return NULL;
	json_t *o = json_parse(x->data, x->bytes, x->topic, E_3181, &e);
	return o ? o : json_without_nul(x->data, x->bytes, x->topic);
}

void facts_init(Facts *f)
{
	memset(f, 0, sizeof *f);
	fact_trace_init(&f->trace);
	f->fresh = true;
	f->first_time = f->first_speed = f->card_time = f->status_time = f->run_time = f->forms_time = f->settings_time = f->held_time = -1;
}

static void token_done(FactToken *t)
{
	for (int i = 0; i < t->n_alt; i++)
		free(t->alt[i].text);
	free(t->alt);
	free(t->text);
	free(t->alone);
	free(t->drafted);
}

static void tokens_clear(Facts *f)
{
	for (size_t i = 0; i < f->n_tok; i++)
		token_done(&f->tok[i]);
	f->n_tok = f->seen_tok = 0;
}

void facts_done(Facts *f)
{
	tokens_clear(f);
	free(f->tok);
	free(f->speed);
	fact_trace_done(&f->trace);
	facts_init(f);
}

static void token_alts(FactToken *t, const json_t *a)
{
	size_t n = json_array_size(a);
	n = n > FACTS_ALTS ? FACTS_ALTS : n;
	t->alt = n ? calloc(n, sizeof *t->alt) : NULL;
	if (!t->alt)
		return;
	for (size_t i = 0; i < n; i++) {
		const json_t *o = json_array_get(a, i);
		TokAlt *x = &t->alt[t->n_alt++];
		x->id = get_int(o, "id", -1);
		x->p = get_num(o, "p");
		x->text = safe_dup(json_object_get(o, "text"), SAFE_LF, NULL);
	}
}

static bool text_plain(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || (unsigned char)*s > 0x7e)
			return false;
	return true;
}

static void token_parse(FactToken *t, const json_t *o)
{
	char draft[16];
	memset(t, 0, sizeof *t);
	t->pos = get_int(o, "pos", 0);
	t->id = get_int(o, "id", -1);
	t->given = json_is_true(json_object_get(o, "given"));
	t->logprob = get_num(o, "logprob");
	t->entropy = get_num(o, "entropy");
	t->text = safe_dup(json_object_get(o, "text"), SAFE_LF, &t->len);
	t->plain = t->text && text_plain(t->text);
	token_alts(t, json_object_get(o, "alternatives"));
	get_text(o, "draft", draft, sizeof draft);
	t->draft = strcmp(draft, "accepted") == 0 ? TOK_ACCEPTED
		: strcmp(draft, "rejected") == 0  ? TOK_REJECTED
						  : TOK_NOT_DRAFTED;
	if (json_is_string(json_object_get(o, "alone")))
		t->alone = safe_dup(json_object_get(o, "alone"), SAFE_LF, NULL);
	if (json_is_string(json_object_get(o, "drafted_text")))
		t->drafted = safe_dup(json_object_get(o, "drafted_text"), SAFE_LF, NULL);
}

/* A later token for the same position replaces it; tokens normally come in order, so the end is looked at
 * first. */
static void token_insert(Facts *f, FactToken t)
{
	size_t i = f->n_tok;
	while (i > 0 && f->tok[i - 1].pos > t.pos)
		i--;
	if (i > 0 && f->tok[i - 1].pos == t.pos) {
		token_done(&f->tok[i - 1]);
		f->tok[i - 1] = t;
		return;
	}
	if (f->n_tok == f->cap_tok) {
		size_t cap = f->cap_tok ? f->cap_tok * 2 : 256;
		FactToken *p = realloc(f->tok, cap * sizeof *p);
		if (!p) {
			token_done(&t);
			return;
		}
		f->tok = p;
		f->cap_tok = cap;
	}
	memmove(&f->tok[i + 1], &f->tok[i], (f->n_tok - i) * sizeof t);
	f->tok[i] = t;
	f->n_tok++;
}

static bool tokens_update(Facts *f, const Store *s)
{
	size_t n = store_count(s, "gen.token");
	const Sample *first = n ? store_at(s, "gen.token", 0) : NULL;
	double t0 = first ? first->time : -1;
	bool changed = t0 != f->first_time || n < f->seen_tok;
	if (changed)
		tokens_clear(f);
	f->first_time = t0;
	for (; f->seen_tok < n; f->seen_tok++) {
		json_t *o = sample_json(store_at(s, "gen.token", f->seen_tok));
		if (json_is_object(o)) {
			FactToken t;
			token_parse(&t, o);
			token_insert(f, t);
		}
		json_decref(o);
		changed = true;
	}
	return changed;
}

static void card_kv(FactCard *c, const json_t *o)
{
	const json_t *kv = json_object_get(o, "kv_elements");
	if (!kv)
		kv = json_object_get(o, "kv");
	c->kv = (KvElements){ get_int(kv, "mla", 0), get_int(kv, "mha", 0), get_int(kv, "gqa8", 0),
		get_int(kv, "mqa", 0), get_int(kv, "own", get_int(kv, "mla", 0)) };
}

static void card_lists(FactCard *c, const json_t *o)
{
	const char *k;
	json_t *v;
	json_object_foreach(json_object_get(o, "dtypes"), k, v) {
		if (c->n_dtypes == FACTS_DTYPES)
			break;
		snprintf(c->dtype[c->n_dtypes].name, sizeof c->dtype[0].name, "%.*s", 11, k);
		c->dtype[c->n_dtypes++].n = json_is_integer(v) ? json_integer_value(v) : 0;
	}
	const json_t *known = json_object_get(o, "known");
	for (size_t i = 0; i < json_array_size(known) && c->n_known < FACTS_KNOWN; i++) {
		FactKnown *m = &c->known[c->n_known++];
		get_text(json_array_get(known, i), "name", m->name, sizeof m->name);
		m->kv = get_int(json_array_get(known, i), "kv_elements", 0);
	}
}

static void card_parse(FactCard *c, const json_t *o)
{
	const struct { const char *key; int64_t *at; } field[] = {
		{ "layers", &c->layers }, { "hidden", &c->hidden }, { "heads", &c->heads },
		{ "vocab", &c->vocab }, { "experts", &c->experts }, { "experts_per_token", &c->per_token },
		{ "n_group", &c->n_group }, { "topk_group", &c->topk_group }, { "shared", &c->shared },
		{ "first_dense", &c->first_dense }, { "q_lora_rank", &c->q_rank },
		{ "kv_lora_rank", &c->kv_rank }, { "key_heads", &c->key_heads }, { "nope", &c->nope }, { "rope", &c->rope }, { "v", &c->v },
		{ "params_total", &c->total }, { "params_active", &c->active }, { "bytes", &c->bytes },
		{ "mtp_layers", &c->mtp }, { "max_context", &c->context }, { "machine_memory", &c->memory },
	};
	memset(c, 0, sizeof *c);
	c->have = true;
	get_text(o, "name", c->name, sizeof c->name);
	get_text(o, "model_type", c->type, sizeof c->type);
	get_text(o, "attention", c->attention, sizeof c->attention);
	const char *gate = json_string_value(json_object_get(o, "gate"));
	c->softmax = gate ? strcmp(gate, "softmax") == 0 : strstr(c->type, "v2") != NULL;
	for (size_t i = 0; i < sizeof field / sizeof *field; i++)
		*field[i].at = get_int(o, field[i].key, 0);
	c->layers = c->layers < 0 ? 0 : c->layers > 1000 ? 1000 : c->layers;
	c->experts = c->experts < 0 ? 0 : c->experts > 65536 ? 65536 : c->experts;
	card_kv(c, o);
	card_lists(c, o);
}

static void stats_parse(FactStats *t, const json_t *o)
{
	memset(t, 0, sizeof *t);
	t->have = true;
	t->prompt = get_int(o, "prompt_tokens", 0);
	t->generated = get_int(o, "generated", 0);
	t->drafted = get_int(o, "drafted", 0);
	t->accepted = get_int(o, "accepted", 0);
	t->forwards = get_int(o, "forwards", 0);
	t->kv_bytes = get_int(o, "kv_bytes", 0);
	t->kv_allocated = get_int(o, "kv_allocated", 0);
	t->rss = get_int(o, "rss_bytes", 0);
	t->prefill = get_num(o, "prefill_tok_per_s");
	t->decode = get_num(o, "decode_tok_per_s");
	t->seconds = get_num(o, "seconds");
	const json_t *a = json_object_get(o, "accepted_by_position");
	for (size_t i = 0; i < json_array_size(a) && t->n_accept < FACTS_ACCEPT; i++)
		t->accept[t->n_accept++] = json_integer_value(json_array_get(a, i));
}

static void status_parse(FactStatus *t, const json_t *o)
{
	t->have = true;
	get_text(o, "state", t->state, sizeof t->state);
	get_text(o, "message", t->message, sizeof t->message);
	get_text(o, "path", t->path, sizeof t->path);
	get_text(o, "recording", t->recording, sizeof t->recording);
	get_text(o, "finish", t->finish, sizeof t->finish);
	t->progress = get_num(o, "progress");
}

static void speed_add(Facts *f, double v)
{
	if (f->n_speed == f->cap_speed) {
		size_t cap = f->cap_speed ? f->cap_speed * 2 : 256;
		double *p = realloc(f->speed, cap * sizeof *p);
		if (!p)
			return;
		f->speed = p;
		f->cap_speed = cap;
	}
	f->speed[f->n_speed++] = v;
}

static bool stats_update(Facts *f, const Store *s)
{
	size_t n = store_count(s, "gen.stats");
	const Sample *first = n ? store_at(s, "gen.stats", 0) : NULL;
	double t0 = first ? first->time : -1;
	if (t0 != f->first_speed || n < f->seen_speed) {
		f->n_speed = f->seen_speed = 0;
		memset(&f->stats, 0, sizeof f->stats);
	}
	f->first_speed = t0;
	bool changed = f->seen_speed < n;
	for (; f->seen_speed < n; f->seen_speed++) {
		json_t *o = sample_json(store_at(s, "gen.stats", f->seen_speed));
		if (json_is_object(o)) {
			stats_parse(&f->stats, o);
			if (!isnan(f->stats.decode))
				speed_add(f, f->stats.decode);
		}
		json_decref(o);
	}
	return changed;
}

static void run_parse(Facts *f, const json_t *o)
{
	f->run.have = true;
	f->run.number = get_int(o, "run", 0);
	f->run.temperature = get_num(o, "temperature");
	get_text(o, "attention", f->run.attention, sizeof f->run.attention);
}

static void forms_parse(Facts *f, const json_t *o)
{
	const json_t *layers = json_object_get(o, "layers");
	FactForms *t = &f->forms;
	*t = (FactForms){ .have = true, .tokens = get_int(o, "tokens", 0), .flipped = get_int(o, "routes_flipped", 0),
		.logits = get_num(o, "logits_max_abs"), .kl = get_num(o, "kl") };
	for (size_t i = 0; i < json_array_size(layers) && t->n_layers < FACTS_FORM_LAYERS; i++) {
		const json_t *v = json_array_get(layers, i);
		t->layer[t->n_layers++] = json_is_number(v) ? json_number_value(v) : NAN;
	}
}

/* A topic of which only the newest sample counts: parsed when it is another than at *seen. */
static void newest_update(Facts *f, const Store *s, const char *topic, double *seen,
	void (*parse)(Facts *, const json_t *))
{
	const Sample *x = store_last(s, topic);
	if (!x || x->time == *seen)
		return;
	json_t *o = sample_json(x);
	if (json_is_object(o))
		parse(f, o);
	json_decref(o);
	*seen = x->time;
}

static void held_take(Facts *f, const json_t *o)
{
	const json_t *tok = json_object_get(o, "tokens"), *start = json_object_get(o, "starts");
	f->n_held = 0;
	for (size_t i = 0; i < json_array_size(tok) && i < FACTS_HELD; i++) {
		FactHeld *h = &f->held[f->n_held++];
		char *s = safe_dup(json_array_get(tok, i), SAFE_LF, NULL);
		size_t n = s ? strlen(s) : 0;
		n = n >= sizeof h->text ? sizeof h->text - 1 - utf8_tail(s, sizeof h->text - 1) : n;
		memcpy(h->text, s ? s : "", n);
		h->text[n] = 0;
		h->begins = false;
		free(s);
	}
	for (size_t i = 0; i < json_array_size(start); i++) {
		json_int_t at = json_integer_value(json_array_get(start, i));
		if (at >= 0 && at < f->n_held)
			f->held[at].begins = true;
	}
}

static void card_take(Facts *f, const json_t *o)
{
	card_parse(&f->card, o);
}

static void status_take(Facts *f, const json_t *o)
{
	status_parse(&f->status, o);
}

/* Numbers and words alike as text. */
static void setting_put(FactSetting *x, const char *name, const json_t *v)
{
	snprintf(x->name, sizeof x->name, "%.23s", name);
	if (json_is_string(v))
		snprintf(x->value, sizeof x->value, "%.23s", json_string_value(v));
	else if (json_is_boolean(v))
		snprintf(x->value, sizeof x->value, "%s", json_is_true(v) ? "true" : "false");
	else
		snprintf(x->value, sizeof x->value, "%.10g", json_number_value(v));
	for (char *p = x->name; *p; p++)
		*p = *p < 0x21 || *p > 0x7e ? '?' : *p;
	for (char *p = x->value; *p; p++)
		*p = *p < 0x21 || *p > 0x7e ? '?' : *p;
}

static void settings_update(Facts *f, const Store *s)
{
	const Sample *x = store_last(s, "train.settings");
	if (!x || x->time == f->settings_time)
		return;
	json_t *now = sample_json(x), *then = sample_json(store_at(s, "train.settings", 0)), *v;
	const char *name;
	f->settings_time = x->time;
	f->n_settings = 0;
	json_object_foreach(json_is_object(now) ? now : NULL, name, v) {
		if (f->n_settings == FACTS_SETTINGS)
			break;
		FactSetting *to = &f->setting[f->n_settings++];
		setting_put(to, name, v);
		to->changed = !json_equal(v, json_object_get(then, name));
	}
	json_decref(now);
	json_decref(then);
}

bool facts_update(Facts *f, const Store *s)
{
	double now = store_now(s);
	if (!f->fresh && f->version == store_version(s) && f->seek == now)
		return false;
	f->fresh = false;
	f->version = store_version(s);
	f->seek = now;
	newest_update(f, s, "model.card", &f->card_time, card_take);
	newest_update(f, s, "engine.status", &f->status_time, status_take);
	newest_update(f, s, STORE_RUN, &f->run_time, run_parse);
	newest_update(f, s, "engine.forms", &f->forms_time, forms_parse);
	newest_update(f, s, "train.gate_text", &f->held_time, held_take);
	settings_update(f, s);
	fact_trace_update(&f->trace, s);
	const Sample *rate = store_last(s, "train.tok_per_s");
	f->train = (FactTrain){ store_last(s, "train.step") != NULL, rate ? sample_num(rate, 0) : NAN };
	tokens_update(f, s);
	stats_update(f, s);
	return true;
}

int64_t facts_find(const Facts *f, int64_t pos)
{
	size_t lo = 0, hi = f->n_tok;
	while (lo < hi) {
		size_t m = (lo + hi) / 2;
		if (f->tok[m].pos < pos)
			lo = m + 1;
		else
			hi = m;
	}
	return lo < f->n_tok && f->tok[lo].pos == pos ? (int64_t)lo : -1;
}

bool facts_busy(const Facts *f)
{
	static const char *const busy[] = { "loading", "prefill", "decode" };
	for (size_t i = 0; i < sizeof busy / sizeof *busy; i++)
		if (strcmp(f->status.state, busy[i]) == 0)
			return true;
	return false;
}

bool facts_training(const Facts *f)
{
	return f->train.have && (strcmp(f->status.state, "train") == 0 || strcmp(f->status.state, "paused") == 0);
}
